use super::*;

/// What `ps` prints of one process.
fn line(pid: u32, flags: u8, second: u32, exe: &str, args: &str) -> String {
    let state = if args.ends_with("<defunct>") {
        'Z'
    } else {
        'S'
    };
    format!(
        "{pid:>7}       1     0 {flags} {state} Mon Nov 23 04:42:{second:02} 2026 {exe:<140} {args}\n"
    )
}

/// The sightings of outputs that come one after the other.
fn seen(outputs: &[&[String]]) -> Vec<Vec<Sighting>> {
    let mut table = Table {
        depth: Depth::Path,
        known: BTreeMap::new(),
    };
    let compare = |lines: &&[String]| {
        let mut seen = Vec::new();
        table.compare(lines.concat().as_bytes(), 999, &mut |s| seen.push(s));
        seen
    };
    outputs.iter().map(compare).collect()
}

fn paths(outputs: &[&[String]]) -> Vec<Vec<String>> {
    let path = |s: &Sighting| s.path.as_ref().unwrap().to_string();
    let all = seen(outputs);
    all.iter().map(|s| s.iter().map(path).collect()).collect()
}

#[test]
fn a_process_is_reported_once_and_ps_itself_never() {
    let cat = |second| line(7, 4, second, "/bin/cat", "cat x");
    let ps = line(999, 4, 1, "/bin/ps", "ps");
    let told = paths(&[
        &[cat(1), ps.clone()],
        &[cat(2), ps.clone()],
        &[ps],
        &[cat(1)],
    ]);
    assert_eq!(told, [vec!["/bin/cat"], vec![], vec![], vec!["/bin/cat"]]);
}

#[test]
fn a_fork_is_reported_when_it_calls_exec_and_a_known_process_when_it_does_again() {
    let told = paths(&[
        &[line(7, 1, 1, "/bin/sh", "sh")],
        &[line(7, 0, 1, "/bin/cat", "cat x")],
        &[line(7, 0, 1, "/bin/cat", "cat y")],
        &[line(7, 0, 1, "/bin/true", "cat y")],
        &[line(7, 0, 1, "-", "[true] <defunct>")],
    ]);
    let expected: [&[&str]; 5] = [&[], &["/bin/cat"], &["/bin/cat"], &["/bin/true"], &[]];
    assert_eq!(told, expected);
}

#[test]
fn another_process_with_the_number_is_told_by_its_start() {
    let cat = |second| line(7, 0, second, "/bin/cat", "cat");
    assert_eq!(
        paths(&[&[cat(1)], &[cat(2)], &[cat(5)]]),
        [vec!["/bin/cat"], vec![], vec!["/bin/cat"]]
    );
    assert!(near(0, DAY - 1) && near(5, 4) && !near(5, 7));
}

#[test]
fn arguments_that_come_late_are_no_exec() {
    let told = seen(&[
        &[line(7, 0, 1, "/bin/cat", "[cat]")],
        &[line(7, 0, 1, "/bin/cat", "cat x")],
    ]);
    assert_eq!((told[0].len(), told[1].len()), (1, 0));
    assert_eq!(told[0][0].argv, None);
}

#[test]
fn a_zombie_that_was_not_known_is_reported_by_its_name() {
    let told = seen(&[&[line(7, 0, 1, "-", "[a name] <defunct>")]]);
    assert_eq!(told[0][0].path, Some("a name".into()));
    assert_eq!(told[0][0].argv, None);
}

/// The one that is installed here.
#[test]
fn ps_prints_what_is_read() {
    let Some(program) = program() else {
        println!("skipped: no ps");
        return;
    };
    for depth in [Depth::Full, Depth::Path] {
        let (own, output) = run(program, depth).unwrap();
        assert!(output.status.success(), "{output:?}");
        let lines: Vec<_> = output
            .stdout
            .split(|&b| b == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| Line::parse(line, depth).expect("a line"))
            .collect();
        let me = lines.iter().find(|l| l.pid == std::process::id()).unwrap();
        let exe = std::env::current_exe().unwrap();
        let exe = exe.as_os_str().as_encoded_bytes();
        assert_eq!(me.exe, Some(&exe[..exe.len().min(output::EXE)]));
        assert_eq!(me.mnt_ns.is_some(), depth == Depth::Full);
        assert!(lines.iter().any(|l| l.pid == own));
    }
}
