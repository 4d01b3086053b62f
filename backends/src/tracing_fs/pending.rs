//! Calls that have begun and not ended, by the thread that made them.
//!
//! Not every call that begins is seen to end: a process can die of its exec, come out as an image of another architecture, or
//! end under another number than it began under. What is left over of those is forgotten when there is too much of it.

use std::collections::BTreeMap;

/// As many threads cannot be in a call at once.
pub const MOST: usize = 1 << 16;

/// See the module; `T` is what the begin of a call told.
#[derive(Debug)]
pub struct Pending<T> {
    calls: BTreeMap<u32, T>,
    most: usize,
    alone: u64,
    forgotten: u64,
}

impl<T> Pending<T> {
    /// None yet. More than `most` are forgotten together.
    pub fn new(most: usize) -> Self {
        Self {
            calls: BTreeMap::new(),
            most,
            alone: 0,
            forgotten: 0,
        }
    }

    /// A thread begins a call; one that it had begun before never ended.
    pub fn begin(&mut self, tid: u32, call: T) {
        if self.calls.len() >= self.most {
            self.forgotten += self.calls.len() as u64;
            self.calls.clear();
        }
        self.calls.insert(tid, call);
    }

    /// A call of a thread ended, and what it did counts: gives what its begin told. `None` where that was not seen, which is
    /// remembered.
    pub fn end(&mut self, tid: u32) -> Option<T> {
        let call = self.calls.remove(&tid);
        self.alone += u64::from(call.is_none());
        call
    }

    /// The same where a call that `is_it` may have begun under another number.
    pub fn end_of(&mut self, tid: u32, is_it: impl Fn(&T) -> bool) -> Option<T> {
        let began = if self.calls.contains_key(&tid) {
            Some(tid)
        } else {
            let mut all = self.calls.iter();
            all.find_map(|(tid, call)| is_it(call).then_some(*tid))
        };
        self.end(began.unwrap_or(tid))
    }

    /// A call of a thread ended and did nothing, or nothing is known of it any more.
    pub fn forget(&mut self, tid: u32) {
        self.calls.remove(&tid);
    }

    /// Nothing is known of any call any more.
    pub fn clear(&mut self) {
        self.calls.clear();
    }

    /// For people: what did not come in pairs.
    pub fn note(&self) -> String {
        self.note_of("entered and did not leave")
    }

    /// The same where those that are left over are more than that.
    pub fn note_of(&self, left_over: &str) -> String {
        format!(
            "{} execs left without having entered, {} {left_over}",
            self.alone,
            self.calls.len() as u64 + self.forgotten
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_end_is_of_its_own_thread_or_of_another_one_that_it_may_be() {
        let mut calls = Pending::new(9);
        for (tid, process) in [(7, 7), (9, 8), (6, 5)] {
            calls.begin(tid, process);
        }
        assert_eq!(calls.end_of(7, |&process| process == 7), Some(7));
        // The thread 9 of process 8 is its first one now.
        assert_eq!(calls.end_of(8, |&process| process == 8), Some(8));
        assert_eq!(calls.end_of(77, |&process| process == 77), None);
        calls.forget(6);
        assert_eq!(calls.end(6), None);
        let note = "2 execs left without having entered, 0 entered and did not leave";
        assert_eq!(calls.note(), note);
        calls.begin(5, 5);
        let note = "2 execs left without having entered, 1 failed or are under way";
        assert_eq!(calls.note_of("failed or are under way"), note);
    }

    proptest! {
        #[test]
        fn no_more_is_kept_than_may_be_and_all_is_counted(
            tids in proptest::collection::vec(0u32..20, 0..60), most in 1usize..8,
        ) {
            let mut calls = Pending::new(most);
            let mut ended = 0;
            for &tid in &tids {
                calls.begin(tid, tid);
                prop_assert!(calls.calls.len() <= most);
            }
            for &tid in &tids {
                ended += u64::from(calls.end(tid) == Some(tid));
            }
            prop_assert_eq!(calls.alone + ended, tids.len() as u64);
            prop_assert!(calls.calls.is_empty());
        }
    }
}
