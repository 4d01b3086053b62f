//! Brings programs into the kernel, or finds out why that cannot be.

use std::{fs, io};

use aya::{
    Btf, Ebpf, EbpfLoader,
    maps::{Array, CgroupArray, MapData, MapError, PerfEventArray, RingBuf},
    util::{nr_cpus, online_cpus},
};
use nix::sys::resource::{RLIM_INFINITY, Resource, setrlimit};

use super::{
    attached::{Attached, Cpu, Source},
    hook::At,
    kfunc,
    losses::Losses,
    plan::{Global, Plan},
    refusal::{chain, explain, judge},
};
use crate::{AttachError, clock};

const TYPES: &str = "/sys/kernel/btf/vmlinux";
const MODULES: &str = "/sys/kernel/security/lsm";

/// Loads and attaches what the plan says.
pub(super) fn attach(plan: &Plan) -> Result<Attached, AttachError> {
    let types = types()?;
    let possible = nr_cpus().map_err(|(path, error)| AttachError::call(path)(error))?;
    let mut ebpf = load(plan, &types, u32::try_from(possible).unwrap_or(u32::MAX))?;

    let cpus =
        Array::<MapData, Cpu>::try_from(take(&mut ebpf, "cpus")).map_err(|e| unusable(&e))?;
    let attached_ns = clock::monotonic_ns();
    let (source, what) = source(plan, &mut ebpf)?;
    if let Some(cgroup) = &plan.cgroup {
        let folder = fs::File::open(&cgroup.folder)
            .map_err(AttachError::call("open the folder of a cgroup"))?;
        // Left where it is: its descriptor is what the program will be loaded with.
        let map = ebpf.map_mut("cgroups").expect("bpf/exec.bpf.c has it");
        CgroupArray::try_from(map)
            .and_then(|mut cgroups| cgroups.set(0, folder, 0))
            .map_err(|e| unusable(&e))?;
    }
    for hook in plan.technique.hooks {
        hook.load(&mut ebpf, &types)?;
    }
    let mut links = Vec::new();
    let mut evidence = Vec::new();
    for hook in plan.technique.hooks {
        links.push(hook.attach(&mut ebpf)?);
        let program = hook.of(&mut ebpf);
        let info = program
            .info()
            .map_err(|error| judge("bpf(OBJ_GET_INFO_BY_FD)", &error))?;
        evidence.push(format!("{}: program {}", hook.at, info.id()));
        if let Some(count) = info.verified_instruction_count() {
            evidence.push(format!("{count} instructions verified"));
        }
    }
    evidence.insert(1, what);
    Ok(Attached {
        ebpf,
        hooks: plan.technique.hooks,
        links,
        cpus,
        slots: plan.technique.slots(),
        source,
        linger_ms: plan.linger_ms,
        batch_ms: plan.batch_ms,
        lookup: None,
        priority: None,
        counts: None,
        evidence,
        since_ns: attached_ns,
        losses: Losses::new(
            "records that found no room in the buffer",
            possible,
            attached_ns,
        ),
        misses: Vec::new(),
        malformed: 0,
        perf_lost: 0,
        drains: 0,
        notes: Vec::new(),
    })
}

/// Loads maps and programs as they are without any setting, and lets them go.
#[cfg(feature = "look")]
pub(super) fn try_loading(technique: super::plan::Technique) -> Result<String, AttachError> {
    let types = types()?;
    let mut ebpf = load(&Plan::smallest(technique), &types, 1)?;
    let mut places = Vec::new();
    for hook in technique.hooks {
        hook.load(&mut ebpf, &types)?;
        places.push(hook.at.to_string());
    }
    Ok(format!("the kernel took it for the {}", places.join(", ")))
}

fn types() -> Result<Btf, AttachError> {
    Btf::parse_file(TYPES, aya::Endianness::default()).map_err(|error| {
        AttachError::Unsupported(format!(
            "no type information of this kernel in {TYPES}: {}",
            chain(&error)
        ))
    })
}

/// Makes the maps, and the programs ready for this kernel.
fn load(plan: &Plan, types: &Btf, cpus: u32) -> Result<Ebpf, AttachError> {
    // Before 5.11 a map counts as locked memory. This is a process of its own, so nobody else is
    // given more; where it may not be raised, creating the maps says what is wrong.
    let _ = setrlimit(Resource::RLIMIT_MEMLOCK, RLIM_INFINITY, RLIM_INFINITY);

    let hooks = plan.technique.hooks.iter();
    if hooks
        .clone()
        .any(|hook| matches!(hook.at, At::Lsm(_) | At::SleepableLsm(_)))
    {
        called(fs::read_to_string(MODULES))?;
    }
    let missing = |function| kfunc::missing(function, types);
    if let Some(why) = plan.technique.function.and_then(missing) {
        return Err(AttachError::Unsupported(why));
    }
    let places = cpus.saturating_mul(plan.technique.slots());
    let use_perf = u32::from(plan.perf);
    let mut loader = EbpfLoader::new();
    loader
        .btf(Some(types))
        .map_max_entries("cpus", places)
        .map_max_entries("records", places)
        .map_max_entries("claims", places)
        .map_max_entries("counts", cpus)
        .map_max_entries("ring", plan.ring_bytes());
    if plan.perf {
        loader.override_global("use_perf", &use_perf, true);
    }
    for (name, value) in &plan.globals {
        match value {
            Global::U32(value) => loader.override_global(name, value, true),
            Global::U64(value) => loader.override_global(name, value, true),
        };
    }
    for (name, size) in &plan.sizes {
        loader.map_max_entries(name, *size);
    }
    loader
        .load(&kfunc::resolved(plan.technique.object, types))
        .map_err(explain)
}

/// A program on a security hook is taken by every kernel that was built with them (5.7), and called by
/// those alone that have `bpf` among the modules that they started with.
fn called(modules: io::Result<String>) -> Result<(), AttachError> {
    let unsupported = |why: String| Err(AttachError::Unsupported(why));
    match modules {
        Ok(list) if list.trim().split(',').any(|name| name == "bpf") => Ok(()),
        Ok(list) => unsupported(format!(
            "programs on security hooks are never called: bpf is not among the active security modules ({MODULES}: {}); \
             boot with lsm=...,bpf",
            list.trim()
        )),
        Err(error) => unsupported(format!(
            "whether programs on security hooks are called cannot be told: {MODULES}: {error} (mount securityfs)"
        )),
    }
}

fn source(plan: &Plan, ebpf: &mut Ebpf) -> Result<(Source, String), AttachError> {
    let bytes = plan.bytes;
    if !plan.perf {
        let ring = RingBuf::try_from(take(ebpf, "ring")).map_err(|e| unusable(&e))?;
        return Ok((Source::Ring(ring), format!("ring buffer of {bytes} bytes")));
    }
    let mut array = PerfEventArray::try_from(take(ebpf, "perf")).map_err(|e| unusable(&e))?;
    let online = online_cpus().map_err(|(path, error)| AttachError::call(path)(error))?;
    let count = online.len();
    let buffers = online
        .into_iter()
        .map(|cpu| array.open(cpu, Some(plan.pages())))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| {
            AttachError::call("perf_event_open(BPF_OUTPUT)")(io::Error::other(chain(&error)))
        })?;
    let what = format!("{count} perf buffers of {bytes} bytes");
    Ok((Source::Perf(buffers), what))
}

/// A map of the object, which has it.
pub(super) fn take(ebpf: &mut Ebpf, map: &str) -> aya::maps::Map {
    ebpf.take_map(map)
        .unwrap_or_else(|| panic!("bpf/ has no map `{map}`"))
}

pub(super) fn unusable(error: &MapError) -> AttachError {
    judge("bpf(map)", error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_that_never_calls_security_programs_is_told_by_its_list() {
        let modules = |list: &str| called(Ok(list.to_owned()));
        assert!(modules("lockdown,capability,yama,apparmor,tomoyo,bpf,ipe\n").is_ok());
        let old = modules("lockdown,capability,yama,apparmor,tomoyo\n");
        assert!(matches!(old, Err(AttachError::Unsupported(why)) if why.contains("tomoyo")));
        let gone = called(Err(io::Error::from_raw_os_error(libc::ENOENT)));
        assert!(matches!(gone, Err(AttachError::Unsupported(why)) if why.contains("securityfs")));
    }
}
