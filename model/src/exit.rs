//! The exit codes of the `execlab` command: one list, for people and for programs.

/// Why the command ended. Other programs rely on the numbers; they are never given a new meaning.
///
/// 1, 2, 101, 124 to 127 and above are left free on purpose: shells, `make`, clap and panics use them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ExitCode {
    /// Everything that was asked for was done. Trials that are `unsupported` do not change this.
    Ok = 0,
    /// Watching costs more than the baseline allows.
    CostRegressed = 10,
    /// Completeness or accuracy fell, or is below a limit.
    AccuracyRegressed = 11,
    /// The baseline is missing, or cannot be compared.
    NoBaseline = 12,
    /// The filters select no trial.
    NothingSelected = 13,
    /// A trial is `backend-failed`, `infra` or has no result.
    Incomplete = 14,
    /// Two exact trials with one digest differ.
    Nondeterministic = 15,
    /// A guest panicked, hung or stopped short.
    GuestLost = 20,
    /// This host lacks something that was needed (QEMU, a kernel, space, a right).
    HostLacks = 21,
    /// A flag, a matrix file or a name in it is wrong.
    Config = 22,
    /// A defect of execlab itself.
    Internal = 70,
}

impl ExitCode {
    /// All codes, the most basic first: when several apply, the first of them is the one to end with.
    pub const BY_PRECEDENCE: [Self; 11] = [
        Self::Internal,
        Self::Config,
        Self::HostLacks,
        Self::GuestLost,
        Self::Incomplete,
        Self::Nondeterministic,
        Self::NothingSelected,
        Self::NoBaseline,
        Self::AccuracyRegressed,
        Self::CostRegressed,
        Self::Ok,
    ];

    /// The number that the shell sees.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The one to end with when both apply: the more basic one.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self::BY_PRECEDENCE
            .into_iter()
            .find(|code| *code == self || *code == other)
            .unwrap_or(Self::Internal)
    }

    /// One line for `--help`, the manual and the documentation.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "everything that was asked for was done",
            Self::CostRegressed => "cost regressed",
            Self::AccuracyRegressed => "completeness or accuracy regressed or below a limit",
            Self::NoBaseline => "baseline missing or not comparable",
            Self::NothingSelected => "nothing selected",
            Self::Incomplete => "run incomplete: a trial failed or has no result",
            Self::Nondeterministic => "an exact trial did not repeat",
            Self::GuestLost => "a guest was lost",
            Self::HostLacks => "this host lacks something needed",
            Self::Config => "configuration error",
            Self::Internal => "internal error",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ExitCode::{self, *};

    #[test]
    fn the_more_basic_code_wins_in_either_order() {
        let order = [70, 22, 21, 20, 14, 15, 13, 12, 11, 10, 0];
        assert_eq!(ExitCode::BY_PRECEDENCE.map(ExitCode::code), order);
        assert_eq!(Ok.and(CostRegressed), CostRegressed);
        assert_eq!(AccuracyRegressed.and(CostRegressed), AccuracyRegressed);
        assert_eq!(Incomplete.and(GuestLost), GuestLost);
        assert_eq!(Nondeterministic.and(Incomplete), Incomplete);
    }

    #[test]
    fn no_code_is_one_that_shells_or_panics_use() {
        for code in ExitCode::BY_PRECEDENCE.map(ExitCode::code) {
            assert!(![1, 2, 101].contains(&code) && code < 124);
        }
    }
}
