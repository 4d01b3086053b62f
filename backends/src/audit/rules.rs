//! Filter rules: which syscalls the kernel records, and which records it leaves out.

use super::wire::{kind, word};

/// The key that our rules carry, so that they are told from everybody's and can be found again
/// should the monitor be killed before it took them away.
pub const KEY: &[u8] = b"execlab";

const FIELDS: usize = 64;
const WORDS: usize = 3 + 4 * FIELDS + 1;

/// The fixed part of `struct audit_rule_data`, kept for its size alone: rules are read and written
/// word by word.
#[repr(C)]
struct Raw {
    flags: u32,
    action: u32,
    field_count: u32,
    mask: [u32; FIELDS],
    fields: [u32; FIELDS],
    values: [u32; FIELDS],
    fieldflags: [u32; FIELDS],
    buflen: u32,
}
const _: () = assert!(size_of::<Raw>() == 4 * WORDS && size_of::<Raw>() == 1040);

/// Lists and flags, in `flags`.
mod list {
    pub const TASK: u32 = 1;
    pub const EXIT: u32 = 4;
    pub const EXCLUDE: u32 = 5;
    /// Before all other rules of the list: the first rule that matches decides.
    pub const PREPEND: u32 = 0x10;
}

const NEVER: u32 = 0;
const ALWAYS: u32 = 2;
const EQUAL: u32 = 0x4000_0000;

mod field {
    pub const ARCH: u32 = 11;
    pub const MSGTYPE: u32 = 12;
    pub const SUCCESS: u32 = 104;
    pub const FILTERKEY: u32 = 210;
}

/// An architecture as a rule and a SYSCALL record name it, with its exec calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Architecture {
    /// As `auditctl` calls it.
    pub name: &'static str,
    /// `AUDIT_ARCH_*`.
    pub number: u32,
    pub execve: u32,
    pub execveat: u32,
}

/// Both call tables of an x86-64 kernel. The third, x32, has numbers with bit 30 set, which the bit
/// mask of a rule cannot hold; Debian's kernels switch it off.
pub const ARCHITECTURES: [Architecture; 2] = [
    Architecture {
        name: "b64",
        number: 0xc000_003e,
        execve: 59,
        execveat: 322,
    },
    Architecture {
        name: "b32",
        number: 0x4000_0003,
        execve: 11,
        execveat: 358,
    },
];

/// One field of a rule: what is compared, how, and with what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Field {
    what: u32,
    how: u32,
    value: u32,
}

/// One rule, as it is added or listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    flags: u32,
    action: u32,
    mask: [u32; FIELDS],
    fields: Vec<Field>,
    /// The strings of the fields that have one, in the order of the fields.
    strings: Vec<u8>,
}

impl Rule {
    /// Records `execve` and `execveat` of one architecture, before any other rule can say no.
    pub fn execs(of: Architecture, successful_only: bool) -> Self {
        let mut mask = [0; FIELDS];
        for call in [of.execve, of.execveat] {
            mask[call as usize / 32] |= 1 << (call % 32);
        }
        let equal = |what, value| Field {
            what,
            how: EQUAL,
            value,
        };
        // The architecture has to come first: the kernel refuses a mask without it, and compares
        // in this order.
        let mut fields = vec![equal(field::ARCH, of.number)];
        if successful_only {
            fields.push(equal(field::SUCCESS, 1));
        }
        let length = u32::try_from(KEY.len()).expect("a short key");
        fields.push(equal(field::FILTERKEY, length));
        Self {
            flags: list::EXIT | list::PREPEND,
            action: ALWAYS,
            mask,
            fields,
            strings: KEY.to_vec(),
        }
    }

    /// Leaves out every record of one type. The exclude list knows no key.
    pub fn exclude(message: u16) -> Self {
        Self {
            flags: list::EXCLUDE,
            action: ALWAYS,
            mask: [0; FIELDS],
            fields: vec![Field {
                what: field::MSGTYPE,
                how: EQUAL,
                value: message.into(),
            }],
            strings: Vec::new(),
        }
    }

    /// The rule as the kernel keeps it: the wish to stand first is forgotten once it is fulfilled,
    /// and a request to delete that still has it finds nothing.
    pub fn kept(mut self) -> Self {
        self.flags &= !list::PREPEND;
        self
    }

    /// Whether the kernel would do the same by both, wherever they stand in their list.
    pub fn same(&self, other: &Self) -> bool {
        let flags = |rule: &Self| rule.flags & !list::PREPEND;
        flags(self) == flags(other)
            && self.action == other.action
            && self.mask == other.mask
            && self.fields == other.fields
            && self.strings == other.strings
    }

    /// Whether a monitor may have added it: it carries our key, or leaves out a record that a setting
    /// of ours leaves out, in a list that knows no keys.
    pub fn may_be_ours(&self) -> bool {
        let unwanted = [kind::PROCTITLE, kind::CWD, kind::PATH];
        self.strings == KEY
            || unwanted
                .into_iter()
                .any(|kind| self.same(&Self::exclude(kind)))
    }

    /// Why no rule of ours could be heard beside this rule of somebody else.
    pub fn blinds(&self) -> Option<String> {
        match self.flags & !list::PREPEND {
            list::TASK if self.action == NEVER && self.fields.is_empty() => {
                Some("the rule `never,task` keeps audit away from every new process".into())
            }
            list::EXCLUDE => [
                ("SYSCALL", kind::SYSCALL),
                ("EXECVE", kind::EXECVE),
                ("EOE", kind::EOE),
            ]
            .iter()
            .find(|(_, number)| self.excludes(*number))
            .map(|(name, _)| format!("an exclude rule drops every {name} record")),
            _ => None,
        }
    }

    /// Whether it drops all records of a type, not only those of some processes.
    pub fn excludes(&self, message: u16) -> bool {
        self.flags & !list::PREPEND == list::EXCLUDE
            && self.fields
                == [Field {
                    what: field::MSGTYPE,
                    how: EQUAL,
                    value: message.into(),
                }]
    }

    /// The payload of a request.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut words = vec![0u32; WORDS];
        words[0] = self.flags;
        words[1] = self.action;
        words[2] = u32::try_from(self.fields.len()).expect("at most 64 fields");
        words[3..3 + FIELDS].copy_from_slice(&self.mask);
        for (i, field) in self.fields.iter().enumerate() {
            words[3 + FIELDS + i] = field.what;
            words[3 + 2 * FIELDS + i] = field.value;
            words[3 + 3 * FIELDS + i] = field.how;
        }
        words[WORDS - 1] = u32::try_from(self.strings.len()).expect("short strings");
        let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        bytes.extend_from_slice(&self.strings);
        bytes
    }

    /// From the payload of a [`kind::LIST_RULES`] answer; `None` if it is none.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let at = |index| word(payload, index);
        let count = usize::try_from(at(2)?).ok().filter(|n| *n <= FIELDS)?;
        let mut mask = [0; FIELDS];
        for (i, slot) in mask.iter_mut().enumerate() {
            *slot = at(3 + i)?;
        }
        let fields = (0..count)
            .map(|i| {
                Some(Field {
                    what: at(3 + FIELDS + i)?,
                    value: at(3 + 2 * FIELDS + i)?,
                    how: at(3 + 3 * FIELDS + i)?,
                })
            })
            .collect::<Option<_>>()?;
        let length = usize::try_from(at(WORDS - 1)?).ok()?;
        let strings = payload.get(4 * WORDS..)?.get(..length)?.to_vec();
        Some(Self {
            flags: at(0)?,
            action: at(1)?,
            mask,
            fields,
            strings,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rules_read_back_and_are_the_same_wherever_they_stand() {
        for rule in [
            Rule::execs(ARCHITECTURES[0], true),
            Rule::execs(ARCHITECTURES[1], false),
            Rule::exclude(kind::PROCTITLE),
        ] {
            let listed = Rule::parse(&rule.to_bytes()).unwrap();
            assert_eq!(listed, rule);
            let mut listed = listed.kept();
            assert!(listed.same(&rule));
            listed.action = NEVER;
            assert!(!listed.same(&rule));
        }
        assert!(
            !Rule::execs(ARCHITECTURES[0], true).same(&Rule::execs(ARCHITECTURES[0], false)),
            "a rule for successful calls only is another rule"
        );
    }

    #[test]
    fn the_bits_of_all_four_calls_are_set_and_no_others() {
        for architecture in ARCHITECTURES {
            let rule = Rule::execs(architecture, false);
            let calls: Vec<u32> = (0..2048)
                .filter(|call| rule.mask[*call as usize / 32] & 1 << (call % 32) != 0)
                .collect();
            assert_eq!(calls, [architecture.execve, architecture.execveat]);
        }
    }

    #[test]
    fn rules_of_ours_are_known_among_others() {
        let mut rule = Rule::execs(ARCHITECTURES[0], false);
        assert!(rule.may_be_ours());
        rule.strings = b"backup".to_vec();
        assert!(!rule.may_be_ours());
        assert!(Rule::exclude(kind::CWD).may_be_ours());
        assert!(!Rule::exclude(kind::EOE).may_be_ours());
    }

    #[test]
    fn rules_that_would_blind_us_are_known() {
        let mut never = Rule::exclude(0);
        never.flags = list::TASK;
        never.action = NEVER;
        assert_eq!(never.blinds(), None, "it is for some tasks only");
        never.fields.clear();
        assert!(never.blinds().unwrap().contains("never,task"));
        assert!(Rule::exclude(kind::EXECVE).blinds().is_some());
        assert_eq!(Rule::exclude(kind::PROCTITLE).blinds(), None);
        assert_eq!(Rule::execs(ARCHITECTURES[0], false).blinds(), None);
    }

    proptest! {
        #[test]
        fn garbage_is_never_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..1200)) {
            let _ = Rule::parse(&bytes);
        }
    }
}
