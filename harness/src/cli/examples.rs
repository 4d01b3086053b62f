//! Examples at the end of each command's help and manual page. A test parses every one of them.

use std::fmt::Write as _;

use super::args::exit_codes;

/// A line for the shell and what it is for.
type Example = (&'static str, &'static str);

/// By command; one that is not here has none.
const EXAMPLES: &[(&str, &[Example])] = &[
    (
        "run",
        &[
            ("the built-in quick matrix", "execlab run"),
            (
                "two techniques under three loads",
                "execlab run --kernels 5.10,7.3 --backends netlink+tuned,ebpf --load closed,rate:2000,burst:500",
            ),
            (
                "a matrix from a file; options go before it",
                "execlab run matrix.toml --seeds 8 --out runs/1",
            ),
            (
                "what would be run, and how long it may take",
                "execlab run matrix.toml --dry-run",
            ),
            ("go on with what was cut off", "execlab run --resume runs/1"),
            (
                "the second of four parts, for four machines",
                "execlab run matrix.toml --partition slice:2/4 --out part-2",
            ),
            (
                "a monitor of your own",
                "execlab run --backends exec:./my-monitor,ebpf",
            ),
        ],
    ),
    (
        "list",
        &[
            (
                "every technique, with what it needs",
                "execlab list backends",
            ),
            (
                "what a matrix means",
                "execlab list trials matrix.toml --kernels 6.12",
            ),
        ],
    ),
    (
        "doctor",
        &[
            ("what this machine can do", "execlab doctor"),
            (
                "put back what killed runs left changed",
                "execlab doctor --clean",
            ),
        ],
    ),
    (
        "kernels",
        &[("fetch two kernels now", "execlab kernels fetch 5.10 7.3")],
    ),
    (
        "watch",
        &[
            (
                "this machine, until Ctrl-C",
                "execlab watch --backend netlink",
            ),
            (
                "one command and what it starts",
                "execlab watch --backend ptrace -- make -j2",
            ),
        ],
    ),
    (
        "report",
        &[
            ("in the terminal", "execlab report runs/1"),
            (
                "as a page",
                "execlab report runs/1 --format html > report.html",
            ),
            (
                "every file of the run directory anew",
                "execlab report runs/1 --write",
            ),
        ],
    ),
    (
        "baseline",
        &[
            (
                "keep a run that you agree with",
                "execlab baseline save main runs/main",
            ),
            ("what there is", "execlab baseline list"),
        ],
    ),
    (
        "compare",
        &[
            ("a baseline and a run", "execlab compare main runs/mine"),
            (
                "with limits of your own, for a CI's list of tests",
                "execlab compare main runs/mine --policy gate.toml --format junit > gate.xml",
            ),
            (
                "every limit, to begin with",
                "execlab compare --print-policy > gate.toml",
            ),
            (
                "two variants that one run made in turn",
                "execlab compare runs/kvm --ab ebpf,ebpf+slow",
            ),
            (
                "two labs: the order of costs",
                "execlab compare runs/exact runs/host",
            ),
        ],
    ),
    (
        "decide",
        &[
            (
                "nothing may be missed, on every kernel from 5.10 on",
                "execlab decide runs/1 --need 'completeness>=0.999' --need path=exact --kernels 5.10..",
            ),
            (
                "as a page, without what a team cannot take",
                "execlab decide runs/1 --need containers --max-cost 20000 --without root-module,ptrace --format html --out decision.html",
            ),
        ],
    ),
    (
        "replay",
        &[
            (
                "a trial and its timeline",
                "execlab replay runs/1 6.1/netlink+default/relative/closed/exact/3",
            ),
            (
                "around one exec of it",
                "execlab replay runs/1 6.1/netlink+default/relative/closed/exact/3 --around 417",
            ),
        ],
    ),
    (
        "find",
        &[
            (
                "how long a process must live",
                "execlab find blind-window --backend netlink,ebpf --kernel 5.10,7.3",
            ),
            (
                "what a bigger buffer buys",
                "execlab find loss-knee --backend netlink --settings rcvbuf=65536,212992,8388608",
            ),
            (
                "how strong a noisy neighbour must be",
                "execlab find isolation --backend audit --kernel 6.12 --seeds 8",
            ),
            (
                "go on with a search that was cut off",
                "execlab find --resume DIR",
            ),
        ],
    ),
    (
        "merge",
        &[(
            "parts that several machines ran",
            "execlab merge part-1 part-2 part-3 part-4 --out runs/1",
        )],
    ),
    (
        "ci",
        &[(
            "six jobs that each run a part",
            "execlab ci github execlab.toml --shards 6 > .github/workflows/execlab.yml",
        )],
    ),
    (
        "completions",
        &[(
            "for bash",
            "execlab completions bash > /etc/bash_completion.d/execlab",
        )],
    ),
    (
        "man",
        &[
            ("read a page", "execlab man run | man -l -"),
            (
                "write all pages",
                "execlab man --out /usr/local/share/man/man1",
            ),
        ],
    ),
];

/// What else is to be said of a command.
const NOTES: &[(&str, &str)] = &[
    (
        "decide",
        "It ends with 0 and a recommendation; with 10 if nothing meets the needs and only cost, latency or memory keeps\n\
         something out; with 11 if nothing meets them otherwise; with 14 if nothing is known to meet them but something was\n\
         not measured; with 12 if the results are of different machines; with 13 if no trial is left.",
    ),
    (
        "find",
        "What is found need not be monotone: each answer has both bounds over all seeds, each proved by one trial.",
    ),
];

/// What stands behind the options in the long help of a command.
pub fn after_help(command: &str) -> String {
    let mut text = String::new();
    let all = EXAMPLES.iter().find(|(name, _)| *name == command);
    if let Some((_, examples)) = all {
        text.push_str("Examples:\n");
        for (what, line) in *examples {
            let _ = writeln!(text, "  {what}\n      {line}");
        }
        text.push('\n');
    }
    if let Some((_, note)) = NOTES.iter().find(|(name, _)| *name == command) {
        let _ = writeln!(text, "{note}\n");
    }
    text + &exit_codes()
}

#[cfg(test)]
mod tests {
    use super::{super::command, EXAMPLES};

    #[test]
    fn every_example_is_a_command_of_its_own_name() {
        for (name, examples) in EXAMPLES {
            for (_, line) in *examples {
                let words = shlex::split(line).unwrap();
                // What a shell does with it is the shell's.
                let ours = words
                    .into_iter()
                    .take_while(|word| !["|", ">"].contains(&word.as_str()));
                let matches = command().try_get_matches_from(ours);
                let matches = matches.unwrap_or_else(|error| panic!("{line}: {error}"));
                assert_eq!(matches.subcommand_name(), Some(*name), "{line}");
            }
        }
    }
}
