use super::super::compress::tests::encode;
use super::*;

/// The smallest ELF file with a section `.modinfo`.
pub(crate) fn fake_module(modinfo: &str) -> Vec<u8> {
    const HEADER: usize = 64;
    let names = b"\0.modinfo\0.shstrtab\0";
    let names_at = HEADER + modinfo.len();
    let sections_at = names_at + names.len();
    let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
    elf.resize(16, 0);
    elf.extend([1, 0, 62, 0, 1, 0, 0, 0]);
    elf.extend([0; 16]);
    elf.extend((sections_at as u64).to_le_bytes());
    elf.extend([0; 4]);
    for half in [64_u16, 0, 0, 64, 3, 2] {
        elf.extend(half.to_le_bytes());
    }
    elf.extend(modinfo.as_bytes());
    elf.extend(names);
    for (name, kind, at, size) in [
        (0_u32, 0_u32, 0, 0),
        (1, 1, HEADER, modinfo.len()),
        (10, 3, names_at, names.len()),
    ] {
        elf.extend(name.to_le_bytes());
        elf.extend(kind.to_le_bytes());
        elf.extend([0; 16]);
        elf.extend((at as u64).to_le_bytes());
        elf.extend((size as u64).to_le_bytes());
        elf.extend([0; 24]);
    }
    elf
}

fn write(directory: &Path, path: &str, bytes: &[u8]) {
    let path = directory.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn names(order: &[ModuleFile]) -> Vec<&str> {
    order.iter().map(|module| module.name.as_str()).collect()
}

#[test]
fn what_is_needed_comes_first_whatever_its_compression() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let top = fake_module("license=GPL\0depends=mid-dle,base,inside\0name=top\0");
    let middle = fake_module("depends=base\0softdep=pre: nice absent post: top\0");
    write(at, "kernel/a/top.ko", &top);
    write(at, "kernel/b/mid-dle.ko.xz", &encode(Format::Xz, &middle));
    write(
        at,
        "kernel/c/base.ko.zst",
        &encode(Format::Zstd, &fake_module("depends=\0")),
    );
    write(
        at,
        "kernel/c/nice.ko.gz",
        &encode(Format::Gzip, &fake_module("softdep=pre: top\0")),
    );
    write(
        at,
        "modules.builtin",
        b"kernel/fs/inside.ko\nkernel/lib/built-in.ko\n",
    );
    write(at, "kernel/readme.txt", b"no module");

    let index = ModuleIndex::read(at).unwrap();
    assert_eq!(
        index.names().collect::<Vec<_>>(),
        ["base", "mid_dle", "nice", "top"]
    );
    assert!(
        index.is_builtin("built_in") && index.is_builtin("built-in") && !index.is_builtin("top")
    );

    let order = index
        .load_order("6.1.0", &["top", "built_in", "mid_dle"])
        .unwrap();
    assert_eq!(names(&order), ["base", "nice", "mid_dle", "top"]);
    assert_eq!(order[2].bytes, middle);
    assert_eq!(order[3].bytes, top);
    assert_eq!(
        names(&index.load_order("6.1.0", &["mid-dle"]).unwrap()),
        ["base", "nice", "mid_dle"]
    );
}

#[test]
fn what_cannot_be_had_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    write(at, "a.ko", &fake_module("depends=b\0"));
    write(at, "b.ko", &fake_module("depends=a\0"));
    write(at, "c.ko", &fake_module("depends=gone\0"));
    write(at, "d.ko", b"no ELF");
    write(at, "e.ko.xz", b"no xz");
    let index = ModuleIndex::read(at).unwrap();
    let error = |wanted| {
        index
            .load_order("6.1.0", &[wanted])
            .unwrap_err()
            .to_string()
    };
    assert_eq!(error("a"), "the modules a, b need one another in a circle");
    assert!(
        error("c").contains("6.1.0 has no module `gone`, which `c` needs"),
        "{}",
        error("c")
    );
    assert!(
        error("over-lay").contains("has no module `over_lay`; it is neither in"),
        "{}",
        error("over-lay")
    );
    assert!(
        error("d").contains("d.ko is no kernel module"),
        "{}",
        error("d")
    );
    assert!(
        error("e").contains("e.ko.xz cannot be read"),
        "{}",
        error("e")
    );

    let none = ModuleIndex::default()
        .load_order("6.1.0", &["a"])
        .unwrap_err();
    assert!(none.to_string().contains("modules=DIR"), "{none}");
    assert!(
        ModuleIndex::default()
            .load_order("6.1.0", &[])
            .unwrap()
            .is_empty()
    );
    let gone = ModuleIndex::read(&at.join("gone")).unwrap_err();
    assert!(matches!(gone, ModuleError::Read { .. }), "{gone}");
}

#[test]
fn names_of_files_become_names_of_modules() {
    assert_eq!(split_name("a-b.ko"), Some(("a_b".to_owned(), None)));
    assert_eq!(
        split_name("a.ko.zst"),
        Some(("a".to_owned(), Some(Format::Zstd)))
    );
    for no_module in ["a.kool", "a.ko.txt", "modules.builtin", "a"] {
        assert_eq!(split_name(no_module), None, "{no_module}");
    }
}

#[test]
fn modinfo_lists_what_is_needed() {
    let needs =
        Needs::of_modinfo(b"alias=x\0depends=a-b,c\0softdep=post: z pre: y\0softdep=pre: crc32c\0");
    assert_eq!(needs.hard, ["a_b", "c"]);
    assert_eq!(needs.soft, ["y", "crc32c"]);
    assert_eq!(Needs::of_modinfo(b""), Needs::default());
}
