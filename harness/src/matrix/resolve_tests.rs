use super::*;
use crate::registry::example;

fn flags(list: &[(&'static str, &str)]) -> Selection {
    let mut selection = Selection::default();
    for (flag, text) in list {
        let one = Given::flag(flag, *text);
        let many = Some(
            text.split(',')
                .map(|t| Given::flag(flag, t))
                .collect::<Vec<_>>(),
        );
        match *flag {
            "--kernels" => selection.kernels = many,
            "--backends" => selection.backends = many,
            "--workloads" => selection.workloads = many,
            "--load" => selection.loads = many,
            "--execs" => selection.execs = Some(one),
            "--lifetime" => selection.lifetimes = many,
            "--spawn" => selection.spawns = many,
            "--population" => selection.populations = many,
            "--seeds" => selection.seeds = Some(one),
            "--lab" => selection.lab = Some(one),
            other => panic!("{other}"),
        }
    }
    selection
}

#[test]
fn no_word_at_all_is_the_quick_matrix() {
    let registry = example();
    let matrix = resolve(Selection::default(), &registry).unwrap();
    assert_eq!(matrix.kernels, [QUICK_KERNEL]);
    assert_eq!(matrix.backends.len(), registry.backends.len() - 1);
    assert_eq!(matrix.workloads.len(), registry.scenarios.len());
    assert_eq!(matrix.seeds, (0, 1));
}

#[test]
fn every_wrong_value_is_told_at_once() {
    let selection = flags(&[
        ("--kernels", "6.2"),
        ("--backends", "wrie,wire+tunde,none+tuned"),
        ("--workloads", "relativ"),
        ("--load", "rate:0"),
        ("--execs", "0"),
        ("--lifetime", "1m"),
        ("--spawn", "clone"),
        ("--population", "-1"),
        ("--seeds", "3..1"),
        ("--lab", "cloud"),
    ]);
    let error = resolve(selection, &example()).unwrap_err();
    insta::assert_snapshot!(error, @r#"
    --kernels: unknown kernel `6.2`; did you mean `6.1`? (valid: 5.10, 6.1, 6.12); `execlab list kernels` has the releases too, and `path:IMAGE` is your own
    --backends: unknown backend `wrie`; did you mean `wire`? (valid: none, wire, ledger, all); `exec:./monitor` is a program of your own
    --backends: unknown variant of wire `tunde`; did you mean `tuned`? (valid: default, tuned)
    --backends: backend `none` has no settings: write `none`, or `none+witness` to have the kernel count the execs
    --workloads: unknown scenario `relativ`; did you mean `relative`? (valid: absolute, relative, all)
    --load: `rate:0` is no load: write `closed`, `rate:N` (execs a second) or `burst:N` (execs at once), with N from 1 up
    --execs: `0` is no number of execs: write a whole number from 1 to 4000000
    --lifetime: `1m` is no duration: write `0` or a whole number with `ns`, `us`, `ms` or `s`, as in `1ms`
    --spawn: unknown spawn `clone` (valid: vfork, fork)
    --population: `-1` is not a number of processes: write a whole number from 0 to 30000
    --seeds: `3..1` is no range of seeds: write `N` (that many) or `A..B` (from A up to, without, B)
    --lab: unknown lab `cloud` (valid: exact, kvm, host)
    "#);
}

#[test]
fn a_flag_goes_before_the_file_and_keeps_its_variants() {
    let file = Selection {
        variants: vec![Variant {
            backend: Given::flag("f", "wire"),
            name: Given::flag("f", "huge"),
            settings: [("buffer", "64"), ("burden", "9")]
                .map(|(key, value)| (Given::flag("f", key), value.into()))
                .to_vec(),
        }],
        ..flags(&[("--kernels", "6.1"), ("--seeds", "2")])
    };
    let selection = flags(&[("--backends", "wire+huge"), ("--kernels", "5.10,5.10")]).over(file);
    let matrix = resolve(selection, &example()).unwrap();
    assert_eq!(matrix.kernels, ["5.10"]);
    assert_eq!(matrix.seeds, (0, 2));
    assert_eq!(matrix.backends[0].spec.settings["buffer"], "64");
    // One that every backend has, and that is in the plan because it was set.
    assert_eq!(matrix.backends[0].spec.settings["burden"], "9");
}

#[test]
fn wrong_variants_are_told_with_what_would_be_right() {
    let variant = |backend: &str, name: &str, key: &str| Variant {
        backend: Given::flag("f", backend),
        name: Given::flag("f", name),
        settings: vec![(Given::flag("f", key), "1".into())],
    };
    let selection = Selection {
        variants: vec![
            variant("wier", "a", "x"),
            variant("wire", "tuned", "bufer"),
            variant("none", "a", "x"),
            variant("wire", "a/b", "buffer"),
        ],
        ..Selection::default()
    };
    let error = resolve(selection, &example()).unwrap_err();
    insta::assert_snapshot!(error, @r#"
    f: unknown backend `wier`; did you mean `wire`? (valid: none, wire, ledger, all); `exec:./monitor` is a program of your own
    f: `tuned` is the backend's own; give the variant another name
    f: unknown setting of wire `bufer`; did you mean `buffer`? (valid: buffer, burden, cpu-quota, memory-limit)
    f: backend `none` has no settings
    f: `a/b` cannot name a variant: small letters, digits, `-`, `_` and `.` only
    "#);
}

#[test]
fn a_matrix_that_selects_nothing_says_which_dimension_is_empty() {
    let selection = Selection {
        kernels: Some(Vec::new()),
        ..flags(&[("--seeds", "5..5")])
    };
    let error = resolve(selection, &example()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the matrix selects no trial: kernels, seeds empty"
    );
}

#[test]
fn what_is_usual_depends_on_the_lab() {
    let lab = |name: &str| resolve(flags(&[("--lab", name)]), &example()).unwrap();
    let (exact, kvm, host) = (lab("exact"), lab("kvm"), lab("host"));
    assert_eq!((exact.cpus, exact.seeds), (1, (0, 1)));
    assert_eq!((kvm.cpus, kvm.seeds), (KVM_CPUS, (0, QUICK_SAMPLES)));
    assert_eq!((host.cpus, host.seeds), (host_cpus(), (0, QUICK_SAMPLES)));
    assert_eq!((exact.execs, kvm.execs, host.execs), (200, 1000, 1000));
    assert_eq!(kvm.kernels, exact.kernels);
    assert_eq!(host.kernels, [RUNNING_KERNEL]);
}

#[test]
fn the_running_kernel_belongs_to_the_host_lab_alone() {
    let error = |lab: &str, kernel: &str| {
        let selection = flags(&[("--lab", lab), ("--kernels", kernel)]);
        resolve(selection, &example()).unwrap_err().to_string()
    };
    insta::assert_snapshot!(error("exact", "running"), @"--kernels: the lab exact boots kernels and cannot use the running one: that is the lab host's");
    insta::assert_snapshot!(error("host", "6.1"), @"--kernels: the lab host has one kernel, the one that runs: write `running` in place of `6.1`, or choose another lab");
}

#[test]
fn without_baselines_only_watched_trials_are_planned() {
    let selection = |lab: &str| Selection {
        baselines: Some(Given::flag("--baselines", "false")),
        lab: Some(Given::flag("--lab", lab)),
        ..Selection::default()
    };
    let matrix = resolve(selection("exact"), &example()).unwrap();
    let plan = crate::plan::Plan::of(&matrix);
    assert!(!plan.trials.is_empty());
    assert!(plan.trials.iter().all(|trial| trial.backend.watches()));
    let error = resolve(selection("kvm"), &example()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("nothing to tell a cost from noise by")
    );
}

#[test]
fn scenarios_ask_for_their_own_load_unless_one_is_named() {
    let mut registry = example();
    registry.scenarios[1].load = Some(Load::Burst(9));
    registry.scenarios[1].least_execs = 300;
    registry.scenarios[0].most_execs = 15;
    let shapes = |loads: Option<Vec<Given>>| -> Vec<_> {
        let selection = Selection {
            workloads: Some(vec![Given::flag("--workloads", "all")]),
            loads,
            execs: Some(Given::flag("--execs", "20")),
            baselines: Some(Given::flag("--baselines", "false")),
            backends: Some(vec![Given::flag("--backends", "wire")]),
            ..Selection::default()
        };
        let plan = crate::plan::Plan::of(&resolve(selection, &registry).unwrap());
        let shape = |t: &crate::plan::TrialSpec| (t.workload.load, t.workload.execs);
        plan.trials.iter().map(shape).collect()
    };
    let (closed, burst) = (Load::Closed, Load::Burst(9));
    assert_eq!(shapes(None), [(closed, 15), (burst, 300)]);
    let rate = vec![Given::flag("--load", "rate:7")];
    let rate_7 = Load::Rate(7);
    assert_eq!(shapes(Some(rate)), [(rate_7, 15), (rate_7, 300)]);
}

/// A program is named by its file; one of a matrix file by its key, with what stands there.
#[test]
fn programs_of_others_are_backends() {
    let dir = tempfile::tempdir().unwrap();
    let matrix = dir.path().join("m.toml");
    std::fs::write(
        &matrix,
        "backends = ['exec:mine', 'exec:mine+small', 'wire', 'exec:/bin/sh -c true']\n\
         [programs.mine]\nrun = ['/bin/sh', '-e']\nboot = ['ledger=1']\ncanary = 'fresh'\nlaunch = true\n\
         [variants.'exec:mine'.small]\ncpu-quota = 20\n",
    )
    .unwrap();
    let limits = Selection {
        limits: Some(vec![Given::flag("--limits", "memory=64")]),
        ..super::super::read(&matrix).unwrap()
    };
    let matrix = resolve(limits, &example()).unwrap();
    let told: Vec<_> = matrix
        .backends
        .iter()
        .map(|b| {
            let (spec, program) = (&b.spec, &b.program);
            let program = program
                .as_ref()
                .map(|p| (p.arguments.join(" "), p.canary, p.launch));
            format!(
                "{}+{} {:?} {:?} {program:?}",
                spec.name, spec.variant, spec.settings, b.boot
            )
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    exec:mine+default.mem64 {"memory-limit": "64"} ["ledger=1"] Some(("-e", Fresh, true))
    exec:mine+small.mem64 {"cpu-quota": "20", "memory-limit": "64"} ["ledger=1"] Some(("-e", Fresh, true))
    wire+default.mem64 {"buffer": "1", "memory-limit": "64"} [] None
    exec:sh+default.mem64 {"memory-limit": "64"} [] Some(("-c true", Payload, false))
    "#);
}

#[test]
fn what_is_wrong_with_a_program_is_told_with_its_place() {
    let problems = |toml: &str| {
        let dir = tempfile::tempdir().unwrap();
        let matrix = dir.path().join("m.toml");
        std::fs::write(&matrix, toml).unwrap();
        let selection = super::super::read(&matrix).unwrap();
        let error = resolve(selection, &example()).unwrap_err().to_string();
        error.replace(&dir.path().display().to_string(), "DIR")
    };
    insta::assert_snapshot!(problems("backends = ['exec:/no/such']"), @"DIR/m.toml:1: /no/such cannot be executed: No such file or directory (os error 2)");
    insta::assert_snapshot!(problems("backends = ['exec:mine']\n[programs.mine]\nrun = ['./no']\n"), @r#"
    DIR/m.toml:1: `exec:mine` is not usable as its table has it
    DIR/m.toml:2: DIR/./no cannot be executed: No such file or directory (os error 2)
    "#);
    insta::assert_snapshot!(problems("backends = ['exec:mine+x']\n[programs.mine]\nrun = ['/bin/sh']\n"), @"DIR/m.toml:1: unknown variant of exec:mine `x` (valid: default)");
    insta::assert_snapshot!(problems("[programs.mine]\nrun = ['/bin/sh']\n[variants.'exec:mien'.x]\ncpu-quota = 0\n"), @r#"
    DIR/m.toml:3: unknown program `exec:mien`; did you mean `exec:mine`? (valid: exec:mine); `[programs.NAME]` names one
    DIR/m.toml:4: setting `cpu-quota` cannot be `0`; it takes a whole number from 1 to 100000
    "#);
    insta::assert_snapshot!(problems("[programs.mine]\nrun = ['/bin/sh']\n[variants.'exec:mine'.default]\nbuffer = 1\n"), @r#"
    DIR/m.toml:3: `default` is the backend's own; give the variant another name
    DIR/m.toml:4: unknown setting of exec:mine `buffer` (valid: cpu-quota, memory-limit)
    "#);
    insta::assert_snapshot!(problems("[programs.'a+b']\nrun = ['/bin/sh']\n"), @"DIR/m.toml:1: `a+b` cannot name a program: `+` and `,` divide names");
    insta::assert_snapshot!(problems("[programs.mine]\nrun = []\n"), @r#"DIR/m.toml:1: `run` names no program: write `run = ["./monitor", "--json"]`"#);
    insta::assert_snapshot!(problems("[programs.mine]\nrun = ['/bin/sh']\ncanary = 'bird'\n"), @"DIR/m.toml:1: unknown canary `bird` (valid: payload, dynamic, fresh)");
    insta::assert_snapshot!(problems("limits = ['cpu=5', 'memory=9', 'cpu=6']\n"), @"DIR/m.toml:1: the limit `cpu` is given twice");
    insta::assert_snapshot!(problems("limits = ['cpu', 'disk=3', 'cpu=0']\n"), @r#"
    DIR/m.toml:1: `cpu` is no limit: write `cpu=20` (percent of one CPU) or `memory=64` (MiB)
    DIR/m.toml:1: unknown limit `disk` (valid: cpu, memory)
    DIR/m.toml:1: `cpu=0` is no limit: write a whole number from 1 to 100000 behind `cpu=`
    "#);
    insta::assert_snapshot!(problems("backends = ['exec:/bin/sh', 'exec:/bin/sh -e']\n"), @r#"DIR/m.toml:1: two programs would be called `exec:sh`: give them names in a matrix file, as `[programs.NAME]` with `run = ["./monitor"]`"#);
}
