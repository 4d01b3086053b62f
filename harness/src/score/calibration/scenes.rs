//! What is executed in made-up storms: each way in which a file, its names, its arguments and its
//! place can be odd, written down by hand.
//!
//! No name of one site is the beginning or the end of another site's, and none is another's stale name
//! or interpreter: so what each fault in a path is worth can be said without comparing.

use execlab_model::{
    Bytes,
    truth::{Frames, ID_ARGUMENT, LIFETIME_ARGUMENT, Namespaces, Site},
};

/// What the kernel appends to the name of a file that has none any more.
pub(super) const DELETED: &[u8] = b" (deleted)";
/// Files in here have lost their names before they are executed.
const GONE: &[u8] = b"/opt/storm/gone/";
const MEMFD: &[u8] = b"/memfd:";
/// From the root of the machine to that of the jail.
const JAIL: &str = "/srv/jail";
/// The PID namespace of everything that is not in a container, and the namespaces that follow it.
const INITIAL: u32 = 4_026_531_840;

/// What is executed in a made-up storm, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scene {
    /// Named absolutely, relatively, by a symlink, by a descriptor.
    Files,
    /// Scripts, a chain of them, a program for a handler, and an interpreter called by its own name.
    Scripts,
    /// Files in memory, and files that were deleted before their exec.
    Nameless,
    /// Renamed before and after, behind another name in the first argument.
    Renamed,
    /// Behind another root directory.
    Chroot,
    /// No argument, an empty one, odd ones, many, a long one.
    Arguments,
    /// Names with odd bytes, and names that look like something else.
    Names,
    /// A path longer than the kernel names (4,096 bytes).
    Deep,
    /// One file in several cgroups.
    Moved,
    /// Only in containers.
    Containers,
    /// 20,000 arguments, and one of 131,071 bytes.
    Large,
    /// All of them but the large ones.
    Everything,
}

impl Scene {
    /// All but the large one, whose sightings are megabytes.
    pub const SMALL: [Self; 11] = [
        Self::Files,
        Self::Scripts,
        Self::Nameless,
        Self::Renamed,
        Self::Chroot,
        Self::Arguments,
        Self::Names,
        Self::Deep,
        Self::Moved,
        Self::Containers,
        Self::Everything,
    ];

    /// Its sites, followed by those of so many containers; never none.
    pub(super) fn sites(self, containers: u32) -> Vec<Site> {
        let containers = if self == Self::Containers {
            containers.max(1)
        } else {
            containers
        };
        let mut sites = self.outside();
        sites.extend((0..containers).flat_map(contained));
        sites
    }

    fn outside(self) -> Vec<Site> {
        match self {
            Self::Files => files(),
            Self::Scripts => scripts(),
            Self::Nameless => nameless(),
            Self::Renamed => renamed(),
            Self::Chroot => chroot(),
            Self::Arguments => arguments(40, 600),
            Self::Names => names(),
            Self::Deep => deep(),
            Self::Moved => moved(),
            Self::Containers => Vec::new(),
            Self::Large => arguments(20_000, 131_071),
            Self::Everything => [
                files(),
                scripts(),
                nameless(),
                renamed(),
                chroot(),
                arguments(12, 300),
                names(),
                deep(),
                moved(),
            ]
            .concat(),
        }
    }
}

/// Whether the file of a site has no name any more when it is executed, so that the kernel says so.
pub(super) fn is_nameless(site: &Site) -> bool {
    let exact = site.frames.exact.as_slice();
    exact.starts_with(GONE) || exact.starts_with(MEMFD)
}

/// Whether the arguments of a site carry the exec's id.
pub(super) fn has_id(site: &Site) -> bool {
    site.argv.iter().any(|a| a.as_slice() == ID_ARGUMENT)
}

/// The string of the call behind the working directory without its dots, where the call was relative.
pub(super) fn lexical(site: &Site) -> Option<Bytes> {
    let plain = match site.given.as_slice() {
        b"../bin/relative-payload" => "/opt/storm/bin/relative-payload".into(),
        b"../links/a-way-there" => "/opt/storm/links/a-way-there".into(),
        b"./first-of-a-chain" => "/opt/storm/scripts/first-of-a-chain".into(),
        b"./jailed-payload" => "/bin/jailed-payload".into(),
        b"./616263" => "/opt/storm/names/616263".into(),
        b"./contained-payload" => "/app/bin/contained-payload".into(),
        b"./payload-at-the-bottom" => site.frames.exact.clone(),
        _ => return None,
    };
    Some(plain)
}

fn site(given: impl Into<Bytes>, exact: impl Into<Bytes>) -> Site {
    let given = given.into();
    Site {
        cwd: "/opt/storm/work".into(),
        frames: Frames {
            exact: exact.into(),
            ..Frames::default()
        },
        argv: argv(given.clone()),
        given,
        dev: 1,
        ino: 2,
        cgroup: "/storm".into(),
        cgroup_id: 77,
        namespaces: namespaces(INITIAL),
        in_container: false,
        ..Site::default()
    }
}

/// One that is called by its own name.
fn plain(exact: impl Into<Bytes>) -> Site {
    let exact = exact.into();
    site(exact.clone(), exact)
}

fn files() -> Vec<Site> {
    let mut all = vec![
        plain("/opt/storm/bin/absolute-payload"),
        site("../bin/relative-payload", "/opt/storm/bin/relative-payload"),
        site("../links/a-way-there", "/opt/storm/bin/linked-payload"),
        site("/dev/fd/9", "/opt/storm/bin/opened-payload"),
    ];
    for site in &mut all {
        site.frames.stale = vec!["/opt/storm/old/former-payload".into()];
    }
    all
}

fn scripts() -> Vec<Site> {
    let interpreted = |mut site: Site, by: &str, label: &str| {
        site.frames.interpreter = Some(by.into());
        label.clone_into(&mut site.label);
        site
    };
    let script = plain("/opt/storm/scripts/a-shell-script.sh");
    let mut chain = site("./first-of-a-chain", "/opt/storm/scripts/first-of-a-chain");
    chain.cwd = "/opt/storm/scripts".into();
    let handled = plain("/opt/storm/bin/of-another-machine");
    // The file is the interpreter here: naming what it runs is the reverse of the usual mistake.
    let mut reverse = plain("/usr/lib/ld-loader.so.2");
    let loaded = "/opt/storm/bin/loaded-payload";
    reverse.argv.insert(1, loaded.into());
    vec![
        interpreted(script, "/usr/bin/interpreter", "script"),
        interpreted(chain, "/usr/bin/end-of-a-chain", "script"),
        interpreted(handled, "/usr/libexec/a-handler", "handler"),
        interpreted(reverse, loaded, ""),
    ]
}

fn nameless() -> Vec<Site> {
    vec![
        site("/proc/self/fd/9", "/memfd:payload-in-memory"),
        site("/dev/fd/8", "/memfd:a name with spaces"),
        site("/dev/fd/7", "/opt/storm/gone/deleted-payload"),
        // Its last name ended so, and the kernel says it once more.
        site("/dev/fd/6", "/opt/storm/gone/kept (deleted)"),
    ]
}

fn renamed() -> Vec<Site> {
    let mut renamed = plain("/opt/storm/bin/renamed-payload");
    renamed.frames.stale = vec![
        "/opt/storm/bin/name-before".into(),
        "/opt/storm/bin/name-after".into(),
    ];
    let mut disguised = plain("/opt/storm/bin/disguised-payload");
    disguised.argv[0] = "-login".into();
    vec![renamed, disguised]
}

fn chroot() -> Vec<Site> {
    let jailed = |given: &str, cwd: &str, name: &str| {
        let mut site = site(given, format!("{JAIL}/bin/{name}").as_str());
        site.frames.in_root = Some(format!("/bin/{name}").as_str().into());
        site.cwd = cwd.into();
        site
    };
    vec![
        jailed("/bin/absolute-in-jail", "/", "absolute-in-jail"),
        jailed("./jailed-payload", "/bin", "jailed-payload"),
    ]
}

fn arguments(many: usize, long: usize) -> Vec<Site> {
    let mut none = plain("/opt/storm/argv/none");
    none.argv = Vec::new();
    // What the kernel makes of none since 5.18.
    let mut empty = plain("/opt/storm/argv/empty");
    empty.argv = vec![Bytes::default()];
    let mut odd = plain("/opt/storm/argv/odd");
    let odd_ones: [&[u8]; 5] = [b"", b"two words", b"line\nbreak", b"\x01\xfe\xff", b"x12"];
    for argument in odd_ones {
        odd.argv.insert(1, argument.into());
    }
    let mut crowded = plain("/opt/storm/argv/many");
    let last = crowded.argv.len() - 1;
    let numbered = (0..many).map(|n| Bytes::from(format!("argument-{n}").as_str()));
    crowded.argv.splice(last..last, numbered);
    let mut lengthy = plain("/opt/storm/argv/long");
    let last = lengthy.argv.len() - 1;
    lengthy.argv.insert(last, Bytes(vec![b'l'; long]));
    // The id of the process's next exec stands behind its own.
    let mut chained = plain("/opt/storm/argv/chained");
    chained.argv.insert(3, "{id+1}".into());
    vec![none, empty, odd, crowded, lengthy, chained]
}

fn names() -> Vec<Site> {
    let named = |name: &[u8]| plain(Bytes([b"/opt/storm/names/", name].concat()));
    let mut hexadecimal = site("./616263", "/opt/storm/names/616263");
    hexadecimal.cwd = "/opt/storm/names".into();
    vec![
        named(b"with some spaces"),
        named(b"\"quoted\" and 'quoted'"),
        named(b"line\nbreak and tab\t"),
        named(b"bell\x07 and escape\x1b[31m"),
        named(b"no text \xc3\x28 \xff\xfe"),
        named(b"really named so (deleted)"),
        named(b"backslash \\040 octal"),
        named(&[b'n'; 255]),
        hexadecimal,
    ]
}

fn deep() -> Vec<Site> {
    let cwd = format!(
        "/opt/storm/deep{}",
        format!("/{}", "d".repeat(255)).repeat(17)
    );
    let exact = format!("{cwd}/payload-at-the-bottom");
    let mut site = site("./payload-at-the-bottom", exact.as_str());
    site.cwd = cwd.as_str().into();
    vec![site]
}

fn moved() -> Vec<Site> {
    let places = [("/storm", 77), ("/storm/moved-here", 78), ("/other", 79)];
    let place = |(cgroup, cgroup_id): (&str, u64)| Site {
        cgroup: cgroup.into(),
        cgroup_id,
        ..plain("/opt/storm/bin/moved-payload")
    };
    places.map(place).into()
}

fn contained(number: u32) -> [Site; 2] {
    let place = |given: &str, name: &str| {
        let exact = format!("/app/bin/{name}");
        let layer = format!("/var/lib/layers/{number}");
        let host = |dir: &str| Bytes::from(format!("{layer}/{dir}{exact}").as_str());
        Site {
            cwd: "/app/bin".into(),
            frames: Frames {
                exact: exact.as_str().into(),
                host: vec![host("merged"), host("upper")],
                ..Frames::default()
            },
            dev: 3,
            ino: 4,
            cgroup: Bytes::from(format!("/pods/pod-{number}/payload").as_str()),
            cgroup_id: u64::from(5_000 + number),
            namespaces: namespaces(4_026_532_000 + 10 * number),
            in_container: true,
            ..site(given, exact.as_str())
        }
    };
    [
        place("./contained-payload", "contained-payload"),
        place("/app/bin/its-neighbour", "its-neighbour"),
    ]
}

/// The last argument is none of those that scorer or payload reads.
fn argv(given: Bytes) -> Vec<Bytes> {
    vec![
        given,
        ID_ARGUMENT.into(),
        LIFETIME_ARGUMENT.into(),
        "the last one".into(),
    ]
}

fn namespaces(first: u32) -> Namespaces {
    Namespaces {
        mnt: first,
        pid: first + 1,
        uts: first + 2,
        ipc: first + 3,
        net: first + 4,
        cgroup: first + 5,
        user: first + 6,
    }
}
