//! Images of guests that are shell scripts: what is made, found, made again, refused and removed.

use std::{io::ErrorKind, os::unix::fs::PermissionsExt, time::Duration};

use execlab_model::frame::{self, PLAN_MAGIC, RECORD_MAGIC};
use tempfile::TempDir;

use super::*;
use crate::{
    guest::{Clocks, Guest, Start},
    qemu::{Engine, Machine, Qemu, QemuError},
};

const LIMIT: Duration = Duration::from_mins(5);
const NONCE: frame::Nonce = [5; 16];

/// Speaks just enough of the protocol. `$here/stops` holds what stands in for the stop of the guest;
/// what `migrate` is to save is `$here/guest`.
const SCRIPT: &str = r#"#!/bin/sh
[ "$1" = -L ] && exit
[ "$1" = --version ] && echo 'QEMU emulator version 9.0.0 (fake)' && exit
here=$(dirname "$0")
for a; do case $a in
  *id=marks,path=*) marks=${a#*path=};;
  *mem-path=*) channel=${a#*mem-path=};;
esac; done
case "$*" in *"-incoming defer"*) restoring=1;; esac
echo '{"QMP": {}}'
[ "$restoring" ] || { echo x >>"$here/boots"; echo settled >"$marks"; cat "$here/stops"; }
while read -r line; do
  answer='{}'
  case $line in
    *query-status*) answer='{"status": "watchdog"}';;
    *info*registers*) answer='"HLT=1"';;
    *migrate-incoming*)
      file=${line#*exec:cat }; file=${file%%\"*}
      echo '{"return": {}}'
      if eval "cmp -s $file $here/guest"; then state=completed; else state=failed; fi
      echo '{"event": "MIGRATION", "data": {"status": "'$state'"}}'
      [ $state = failed ] && exit 1
      continue;;
    *'"migrate"'*)
      file=${line#*exec:cat > }; file=${file%%\"*}
      eval "cat $here/guest > $file"
      echo '{"return": {}}'
      echo '{"event": "MIGRATION", "data": {"status": "completed"}}'
      continue;;
    *'"cont"'*)
      echo '{"return": {}}'
      cp "$channel" "$here/plan"
      cat "$here/record" 1<>"$channel" >&1
      exit 33;;
  esac
  echo '{"return": '"$answer"'}'
done
"#;

struct Fake {
    dir: TempDir,
    qemu: Qemu,
    store: WarmStore,
}

/// Another test's thread may be between its fork and its exec and hold the script open for writing.
fn found(program: &Path) -> Qemu {
    loop {
        match Qemu::at(program.to_owned()) {
            Err(QemuError::Start { source, .. })
                if source.kind() == ErrorKind::ExecutableFileBusy =>
            {
                std::thread::yield_now();
            }
            found => break found.unwrap(),
        }
    }
}

impl Fake {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("qemu");
        fs::write(&program, SCRIPT).unwrap();
        fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        fs::write(dir.path().join("stops"), "{\"event\": \"STOP\"}\n").unwrap();
        fs::write(dir.path().join("guest"), "a guest").unwrap();
        Self {
            qemu: found(&program),
            // A shell must not stumble over the spaces.
            store: WarmStore::new(dir.path().join("a warm one")),
            dir,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn get(&self, kernel_sha256: &str) -> Result<(WarmImage, Made), WarmError> {
        let recipe = Recipe {
            qemu: &self.qemu,
            machine: &machine(),
            kernel: &self.path("kernel"),
            kernel_sha256,
            initramfs: &self.path("initramfs"),
            initramfs_sha256: "i",
            limit: LIMIT,
        };
        let mut making = false;
        let got = self.store.get(&recipe, || making = true);
        let found = matches!(got, Ok((_, Made::Found)));
        assert_ne!(making, found);
        got
    }

    fn boots(&self) -> usize {
        fs::read_to_string(self.path("boots")).map_or(0, |text| text.lines().count())
    }

    fn files(&self, end: &str) -> Vec<PathBuf> {
        let files = fs::read_dir(&self.store.dir).unwrap();
        files
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.to_string_lossy().ends_with(end))
            .collect()
    }
}

fn machine() -> Machine {
    Machine {
        engine: Engine::Counting,
        memory_mib: 64,
        channel_mib: 1,
        boot: Vec::new(),
    }
}

#[test]
fn an_image_is_made_once_and_found_then() {
    let fake = Fake::new();
    let (image, made) = fake.get("a").unwrap();
    assert!(matches!(made, Made::Now(_)), "{made:?}");
    assert_eq!(fs::read(&image.state).unwrap(), b"a guest");
    assert_eq!(fake.get("a").unwrap(), (image.clone(), Made::Found));
    let (other, _) = fake.get("b").unwrap();
    assert_ne!(image, other);
    assert_eq!(fake.boots(), 2);
}

#[test]
fn a_damaged_image_is_made_again() {
    let fake = Fake::new();
    let (image, _) = fake.get("a").unwrap();
    let damages: [&dyn Fn(); 4] = [
        &|| fs::write(&image.state, "a gHest").unwrap(),
        &|| fs::write(&image.state, "a gues").unwrap(),
        &|| fs::remove_file(&image.state).unwrap(),
        &|| fs::write(&fake.files(".json")[0], "{").unwrap(),
    ];
    for damage in damages {
        damage();
        let (again, made) = fake.get("a").unwrap();
        assert!(matches!(made, Made::Again(_)), "{made:?}");
        assert_eq!(fs::read(again.state).unwrap(), b"a guest");
    }
    assert_eq!(fake.get("a").unwrap().1, Made::Found);
}

#[test]
fn a_guest_that_never_stops_rightly_leaves_no_image() {
    let fake = Fake::new();
    fs::write(fake.path("stops"), "garbage\n").unwrap();
    let error = fake.get("a").unwrap_err().to_string();
    assert!(
        error.contains("its protocol does not have: garbage"),
        "{error}"
    );
    fs::write(fake.path("stops"), "{\"event\": \"STOP\"}\n").unwrap();
    let busy = SCRIPT.replace("HLT=1", "HLT=0");
    fs::write(fake.path("qemu"), busy).unwrap();
    let error = fake.get("a").unwrap_err().to_string();
    assert!(
        error.contains("was not idle when it was to be saved, after `settled`"),
        "{error}"
    );
    let last = "read -r line; echo '{\"return\": {}}'; exit 0; while read";
    let ending = SCRIPT.replace("while read", last);
    let ending = ending.replace("cat \"$here/stops\"", ":");
    fs::write(fake.path("qemu"), ending).unwrap();
    let error = fake.get("a").unwrap_err().to_string();
    assert!(error.contains("ended before it could be saved"), "{error}");
    let killed = SCRIPT.replace("cat \"$here/stops\"", ":");
    let killed = killed.replace(
        "while read",
        "read -r line; echo '{\"return\": {}}'; kill -9 $$; while read",
    );
    fs::write(fake.path("qemu"), killed).unwrap();
    let error = fake.get("a").unwrap_err().to_string();
    assert!(error.starts_with("QEMU itself broke off"), "{error}");
    fs::remove_file(fake.path("guest")).unwrap();
    let failing = SCRIPT.replace("cat $here/guest > $file", "false > $file");
    let failing = failing.replace("\"status\": \"completed\"", "\"status\": \"failed\"");
    fs::write(fake.path("qemu"), failing).unwrap();
    let error = fake.get("a").unwrap_err().to_string();
    assert!(error.contains("the migration failed"), "{error}");
    for end in [".json", ".state", ".part"] {
        assert!(fake.files(end).is_empty(), "{end}");
    }
}

#[test]
fn images_that_were_not_used_for_longest_go_first() {
    let fake = Fake::new();
    let labels: Vec<PathBuf> = ["a", "b", "c"]
        .iter()
        .map(|kernel| fake.get(kernel).unwrap().0.state.with_extension("json"))
        .collect();
    for (label, age) in labels.iter().zip([2, 3, 1]) {
        let file = File::options().append(true).open(label).unwrap();
        let used = SystemTime::now() - Duration::from_hours(age);
        file.set_modified(used).unwrap();
    }
    // Of another run, which is using b alone.
    let others = WarmStore::new(fake.store.dir.clone());
    others.using().insert(labels[1].clone());
    // Two must go: the oldest is in use, so the other two are. Another test's child may hold a copy
    // of a lock until it calls exec.
    while fake.files(".json").len() > 1 {
        others.prune(7 + 6).unwrap();
    }
    assert_eq!(fake.files(".json"), [labels[1].clone()]);
    assert_eq!(fake.files(".state").len(), 1);
}

#[test]
fn what_a_killed_run_left_behind_goes_and_what_is_being_made_stays() {
    let fake = Fake::new();
    let (image, _) = fake.get("a").unwrap();
    fs::rename(&image.state, image.state.with_extension("part")).unwrap();
    fs::remove_file(image.state.with_extension("json")).unwrap();
    let others = WarmStore::new(fake.store.dir.clone());
    let lock = File::open(image.state.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    others.prune(0).unwrap();
    assert_eq!(fake.files(".part").len(), 1);
    drop(lock);
    // Another test's child may hold a copy of the lock until it calls exec.
    while !fake.files(".part").is_empty() {
        others.prune(0).unwrap();
    }
}

#[test]
fn a_trial_goes_on_from_an_image_with_its_own_plan() {
    let fake = Fake::new();
    let (image, _) = fake.get("a").unwrap();
    let record = frame::encode(RECORD_MAGIC, &NONCE, b"told");
    fs::write(fake.path("record"), record).unwrap();
    let run = || {
        Guest {
            qemu: &fake.qemu,
            machine: &machine(),
            kernel: &fake.path("kernel"),
            initramfs: &fake.path("initramfs"),
            start: Start::Warm(&image),
            nonce: &NONCE,
            plan: b"plan",
            serial_log: &fake.path("log"),
            clocks: Clocks {
                boot: LIMIT,
                stage: LIMIT,
                total: LIMIT,
                hurry: None,
            },
        }
        .run()
    };
    assert_eq!(run().unwrap(), b"told");
    let channel = fs::read(fake.path("plan")).unwrap();
    assert_eq!(
        frame::decode_for(PLAN_MAGIC, &NONCE, &channel).unwrap(),
        b"plan"
    );

    fs::write(&image.state, "a ghost").unwrap();
    let error = run().unwrap_err().to_string();
    assert!(
        error.starts_with("cannot restore the warm image"),
        "{error}"
    );
}
