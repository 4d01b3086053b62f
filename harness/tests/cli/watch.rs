//! `execlab watch`, as far as it comes without touching the machine.

use assert_cmd::Command;

fn told(arguments: &[&str]) -> (i32, String) {
    let mut execlab = Command::new(env!("CARGO_BIN_EXE_execlab"));
    let ended = execlab.arg("watch").args(arguments).output().unwrap();
    assert!(ended.stdout.is_empty());
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    (ended.status.code().unwrap(), said)
}

#[test]
fn what_cannot_be_watched_with_is_told_with_what_would_be_right() {
    let (code, said) = told(&["--backend", "netlnk"]);
    assert_eq!(code, 22);
    assert!(
        said.contains("unknown backend `netlnk`; did you mean `netlink`?"),
        "{said}"
    );
    let (code, said) = told(&["--backend", "exec:./mine"]);
    assert_eq!(code, 22);
    assert!(said.contains("is a program of your own"), "{said}");
    let (code, said) = told(&["--backend", "netlink+huge"]);
    assert_eq!(code, 22);
    assert!(
        said.contains("unknown variant of netlink `huge` (valid: default, tuned)"),
        "{said}"
    );
    let (code, said) = told(&["--backend", "netlink", "--set", "rcvbuf=1"]);
    assert_eq!(code, 22);
    assert!(
        said.contains("setting `rcvbuf` cannot be `1`; it takes a whole number from"),
        "{said}"
    );
    let (code, said) = told(&["--backend", "netlink", "--set", "cpu-quota=5"]);
    assert_eq!(code, 22);
    assert!(said.contains("`cpu-quota` is for trials"), "{said}");
}

#[test]
fn what_reaches_descendants_only_needs_a_command_and_what_cannot_be_undone_a_guest() {
    let (code, said) = told(&["--backend", "seccomp-notify"]);
    assert_eq!(code, 22);
    assert!(
        said.contains("watches only what it starts itself: name a command behind `--`"),
        "{said}"
    );
    let (code, said) = told(&["--backend", "ima"]);
    assert_eq!(code, 21);
    assert!(said.contains("ima is for guests alone: "), "{said}");
}
