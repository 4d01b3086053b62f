//! Doubts of lines stand where everybody sees them.

use execlab_model::repeat::Repeat;
use execlab_reports::{
    TerminalOptions,
    doubts::{BASELINE_METER, METER, UNSETTLED},
    html, markdown, terminal,
};

use crate::fixture;

const NONE: &[Repeat] = &[];

#[test]
fn notes_that_put_costs_in_doubt_are_warnings_of_every_document() {
    let mut results = fixture::realistic();
    let wide = TerminalOptions {
        width: 1000,
        color: false,
    };
    assert!(!terminal(&results, NONE, &wide).contains("in doubt"));
    results[0].notes.push(format!("{METER}: 7 ns and 9 ns"));
    for at in [2, 1] {
        results[at].notes.push(format!("{BASELINE_METER}: it"));
    }
    results[3]
        .notes
        .push(format!("{UNSETTLED}: after 9 rounds"));
    results[4].notes.push("something else".into());
    let screen = terminal(&results, NONE, &wide);
    let told: Vec<&str> = screen.lines().filter(|l| l.starts_with("! ")).collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    ! costs in doubt: the meter is not to be trusted, since it and the clock do not agree on how long a storm was busy (1 trial, the first is 6.1/none/relative/closed/exact/1)
    ! costs in doubt: compared with a baseline whose meter is not to be trusted (2 trials, the first is 6.1/audit+default/relative/closed/exact/1)
    ! costs in doubt: the kernel did not settle before the trial (1 trial, the first is 6.1/netlink+default/relative/closed/exact/1)
    "#);
    for document in [markdown(&results, NONE), html(&results, NONE)] {
        assert_eq!(document.matches("costs in doubt").count(), 3);
    }
}
