//! What a probe on a task fetches: chains of members from a register on, by the offsets of this kernel.
//!
//! `+8(+16(%di))` is the member at 8 of what the member at 16 of the first argument points to
//! (`Documentation/trace/kprobetrace.rst`). An argument may be 63 characters long (`MAX_ARGSTR_LEN`,
//! `kernel/trace/trace_probe.h`), which is what ends chains here; they may be 128 (`MAX_TRACE_ARGS`), and the whole line
//! 4,094 characters (`WRITE_BUFSIZE`, `kernel/trace/trace.c`). 7.3 also counts how deep they are nested, and answers
//! E2BIG beyond eight.

use super::btf::{Btf, Member};

/// An argument is refused when it is longer.
const LONGEST: usize = 63;

/// Follows pointers.
#[derive(Debug, Clone)]
pub struct Chain {
    text: String,
    depth: usize,
}

impl Chain {
    /// The first argument of the probed function (x86-64's calling convention).
    pub fn first_argument() -> Self {
        Self {
            text: "%di".into(),
            depth: 0,
        }
    }

    /// What a path of names leads to, from an argument of the function by its name, where the kernel follows its own
    /// types itself (6.6); that does not count as nesting.
    pub fn named(path: &str) -> Self {
        Self {
            text: path.into(),
            depth: 0,
        }
    }

    /// What stands so far behind the place that this points to.
    #[must_use]
    pub fn at(&self, offset: i64) -> Self {
        self.deeper(&format!("{offset:+}"))
    }

    /// The same in the memory of the process.
    #[must_use]
    pub fn in_user(&self, offset: u32) -> Self {
        self.deeper(&format!("+u{offset}"))
    }

    fn deeper(&self, by: &str) -> Self {
        Self {
            text: format!("{by}({})", self.text),
            depth: self.depth + 1,
        }
    }
}

/// The arguments of a probe.
#[derive(Debug)]
pub struct Arguments {
    all: Vec<String>,
    deepest: usize,
}

impl Arguments {
    /// None yet, of chains that may be so deep.
    pub fn new(deepest: usize) -> Self {
        Self {
            all: Vec::new(),
            deepest,
        }
    }

    /// Adds one, if it is short enough and not too deep; whether it is.
    pub fn add(&mut self, name: &str, chain: &Chain, kind: &str) -> bool {
        let body = format!("{}:{kind}", chain.text);
        let fits = body.len() <= LONGEST && chain.depth <= self.deepest;
        if fits {
            self.all.push(format!("{name}={body}"));
        }
        fits
    }

    /// As they stand in the definition of a probe.
    pub fn text(&self) -> String {
        self.all.join(" ")
    }
}

/// Looks members up, and remembers which were not there.
#[derive(Debug)]
pub struct Offsets<'a> {
    btf: &'a Btf,
    missing: Vec<String>,
}

impl<'a> Offsets<'a> {
    /// In these types.
    pub fn of(btf: &'a Btf) -> Self {
        Self {
            btf,
            missing: Vec::new(),
        }
    }

    /// In bytes; 0 where it is missing.
    pub fn get(&mut self, structure: &str, path: &str) -> i64 {
        let offset = self.btf.member(structure, path).and_then(Member::bytes);
        offset.map_or_else(
            || {
                self.missing.push(format!("{structure}.{path}"));
                0
            },
            i64::from,
        )
    }

    /// The size of a structure in bytes; 0 where it is missing.
    pub fn size(&mut self, structure: &str) -> i64 {
        self.btf.size(structure).map_or_else(
            || {
                self.missing.push(structure.to_owned());
                0
            },
            i64::from,
        )
    }

    /// What was missing.
    pub fn missing(self) -> Vec<String> {
        self.missing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_read_from_the_inside_out() {
        let task = Chain::first_argument();
        let mut arguments = Arguments::new(15);
        assert!(arguments.add("a", &task.at(8).at(-16), "u32"));
        assert!(arguments.add("b", &task.at(8).in_user(0), "ustring"));
        let deep = (0..20).fold(task.clone(), |chain, _| chain.at(24));
        assert!(!arguments.add("c", &deep, "x64"));
        assert!(!Arguments::new(1).add("d", &task.at(8).at(8), "x64"));
        assert_eq!(
            arguments.text(),
            "a=-16(+8(%di)):u32 b=+u0(+8(%di)):ustring"
        );
    }
}
