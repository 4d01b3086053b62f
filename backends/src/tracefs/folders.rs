//! The working directory of every thread, followed in user space.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    rc::Rc,
};

use execlab_model::Bytes;

/// A working directory, which several threads may have in common; `None` where it is not known.
type Folder = Rc<RefCell<Option<Bytes>>>;

/// A child that shares its working directory with its parent, as threads do (include/uapi/linux/sched.h).
const CLONE_FS: u64 = 0x200;

/// See the module.
#[derive(Debug)]
pub struct Folders {
    proc: PathBuf,
    of: BTreeMap<u32, Folder>,
    prune_at: usize,
}

impl Folders {
    /// Of nobody yet; looked up in this `/proc`.
    pub fn new(proc: &Path) -> Self {
        Self {
            proc: proc.into(),
            of: BTreeMap::new(),
            prune_at: 1 << 15,
        }
    }

    /// Reads those of all processes, anew. Threads of a process are taken to share one. How many there are.
    pub fn snapshot(&mut self) -> usize {
        self.of.clear();
        let number = |entry: fs::DirEntry| entry.file_name().to_str()?.parse::<u32>().ok();
        let list = |dir: &Path| {
            let entries = fs::read_dir(dir).into_iter().flatten().flatten();
            entries.filter_map(number).collect::<Vec<_>>()
        };
        for pid in list(&self.proc) {
            let folder: Folder = Rc::new(RefCell::new(self.read(pid)));
            for tid in list(&self.proc.join(format!("{pid}/task"))) {
                self.of.insert(tid, Rc::clone(&folder));
            }
        }
        self.of.len()
    }

    /// What `/proc` says now.
    fn read(&self, tid: u32) -> Option<Bytes> {
        let link = fs::read_link(self.proc.join(format!("{tid}/cwd"))).ok()?;
        Some(link.into_os_string().into_encoded_bytes().into())
    }

    /// A thread made another, with these flags of `clone`.
    pub fn forked(&mut self, parent: u32, child: u32, flags: u64) {
        let folder = self.of.entry(parent).or_default();
        let folder = if flags & CLONE_FS != 0 {
            Rc::clone(folder)
        } else {
            Rc::new(RefCell::new(folder.borrow().clone()))
        };
        self.of.insert(child, folder);
    }

    /// A thread went to another directory, by this string if it is known. `/proc` is asked where it can still say:
    /// not where the thread has gone further since.
    pub fn changed(&mut self, tid: u32, string: Option<&Bytes>, further: bool) {
        let now = if further { None } else { self.read(tid) };
        let folder = self.of.entry(tid).or_default();
        let told = || {
            let string = string?;
            if string.0.starts_with(b"/") {
                return Some(string.clone());
            }
            Some(join(folder.borrow().as_ref()?, string))
        };
        let new = now.or_else(told);
        *folder.borrow_mut() = new;
    }

    /// A thread called exec and has its process's id now. The full path for the string that was passed, if
    /// that is relative and it is known from where.
    pub fn executed(&mut self, tid: u32, pid: u32, string: &Bytes) -> Option<Bytes> {
        if tid != pid
            && let Some(folder) = self.of.remove(&tid)
        {
            self.of.insert(pid, folder);
        }
        if string.0.starts_with(b"/") || string.is_empty() {
            return None;
        }
        let known = self.of.get(&pid).and_then(|folder| folder.borrow().clone());
        let from = known.or_else(|| {
            let now = self.read(pid)?;
            *self.of.entry(pid).or_default().borrow_mut() = Some(now.clone());
            Some(now)
        })?;
        Some(join(&from, string))
    }

    /// Forgets threads that are gone, when there are too many.
    pub fn prune_if_large(&mut self) {
        if self.of.len() > self.prune_at {
            let proc = &self.proc;
            self.of.retain(|tid, _| proc.join(tid.to_string()).exists());
            self.prune_at = (2 * self.of.len()).max(1 << 15);
        }
    }
}

/// A relative path from a full one, without `.` and `..`: the name before a `..` is taken to be a folder, not a link to
/// one.
fn join(from: &Bytes, relative: &Bytes) -> Bytes {
    let mut names: Vec<&[u8]> = Vec::new();
    let all = from
        .0
        .split(|&b| b == b'/')
        .chain(relative.0.split(|&b| b == b'/'));
    for name in all {
        match name {
            b"" | b"." => {}
            b".." => {
                names.pop();
            }
            name => names.push(name),
        }
    }
    let mut path = Vec::with_capacity(from.0.len() + relative.0.len() + 1);
    for name in names {
        path.push(b'/');
        path.extend_from_slice(name);
    }
    if path.is_empty() {
        path.push(b'/');
    }
    path.into()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A `/proc` with processes in these directories.
    fn proc(processes: &[(u32, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (pid, cwd) in processes {
            let process = dir.path().join(pid.to_string());
            fs::create_dir_all(process.join("task").join(pid.to_string())).unwrap();
            symlink(cwd, process.join("cwd")).unwrap();
        }
        dir
    }

    fn executed(folders: &mut Folders, tid: u32, pid: u32, string: &str) -> Option<String> {
        let path = folders.executed(tid, pid, &string.into());
        path.map(|path| path.to_string())
    }

    #[test]
    fn dots_are_taken_out() {
        let joined = |from: &str, relative: &str| join(&from.into(), &relative.into()).to_string();
        assert_eq!(joined("/a/b", "./c"), "/a/b/c");
        assert_eq!(joined("/a/b", "..//.././../c/"), "/c");
        assert_eq!(joined("/", "x"), "/x");
        assert_eq!(joined("/a", ".."), "/");
    }

    #[test]
    fn children_have_their_parents_folder_until_they_leave_it() {
        let dir = proc(&[(1, "/one"), (7, "/seven")]);
        let mut folders = Folders::new(dir.path());
        assert_eq!(folders.snapshot(), 2);
        folders.forked(1, 2, 0);
        folders.forked(1, 3, CLONE_FS);
        // Of a thread that is gone only the string is known, and only if it was told.
        folders.changed(3, Some(&"down".into()), false);
        assert_eq!(executed(&mut folders, 2, 2, "x").unwrap(), "/one/x");
        assert_eq!(executed(&mut folders, 1, 1, "./x").unwrap(), "/one/down/x");
        folders.changed(2, None, false);
        assert_eq!(executed(&mut folders, 2, 2, "x"), None);
        folders.changed(2, Some(&"/else".into()), false);
        assert_eq!(executed(&mut folders, 2, 2, "../x").unwrap(), "/x");
        assert_eq!(executed(&mut folders, 2, 2, "/full"), None);
    }

    #[test]
    fn what_proc_says_now_is_not_believed_of_an_earlier_call() {
        let dir = proc(&[(7, "/now")]);
        let mut folders = Folders::new(dir.path());
        folders.changed(7, None, true);
        // Unknown, so the exec itself asks.
        assert_eq!(executed(&mut folders, 7, 7, "x").unwrap(), "/now/x");
        folders.changed(7, Some(&"/then".into()), true);
        assert_eq!(executed(&mut folders, 7, 7, "x").unwrap(), "/then/x");
        folders.changed(7, None, false);
        assert_eq!(executed(&mut folders, 7, 7, "x").unwrap(), "/now/x");
    }

    #[test]
    fn a_thread_takes_its_folder_along_into_its_process() {
        let dir = proc(&[]);
        let mut folders = Folders::new(dir.path());
        folders.changed(9, Some(&"/own".into()), false);
        assert_eq!(executed(&mut folders, 9, 8, "x").unwrap(), "/own/x");
        assert_eq!(executed(&mut folders, 8, 8, "y").unwrap(), "/own/y");
    }
}
