use super::super::compress::tests::encode;
use super::super::deb::tests::deb;
use super::super::image::tests::{fake_bzimage, fake_vmlinux};
use super::super::modules::ModuleIndex;
use super::super::modules::tests::fake_module;
use super::*;

/// The packages of a kernel in the layout of one package.
pub(crate) fn one_package(release: &str) -> Vec<Vec<u8>> {
    let image = fake_bzimage(release, &fake_vmlinux(release), Some(Format::Lz4Legacy));
    let lib = format!("lib/modules/{release}");
    vec![deb(
        &[
            (&format!("boot/vmlinuz-{release}"), &image),
            (&format!("boot/config-{release}"), b"CONFIG_X=y\n"),
            (&format!("boot/System.map-{release}"), b"not needed"),
            (
                &format!("{lib}/kernel/fs/overlay.ko"),
                &fake_module("depends=\0"),
            ),
            (&format!("{lib}/modules.builtin"), b"kernel/fs/ext.ko\n"),
            ("usr/share/doc/x/copyright", b"not needed"),
        ],
        "xz",
    )]
}

/// The packages of a kernel in the layout of several packages.
pub(crate) fn split_packages(release: &str) -> Vec<Vec<u8>> {
    let image = fake_bzimage(release, &fake_vmlinux(release), Some(Format::Zstd));
    let lib = format!("usr/lib/modules/{release}");
    let module = encode(Format::Xz, &fake_module("depends=\0"));
    vec![
        deb(&[(&format!("{lib}/vmlinuz"), &image)], "xz"),
        deb(
            &[(&format!("{lib}/kernel/fs/overlay.ko.xz"), &module)],
            "zst",
        ),
        deb(
            &[
                (&format!("{lib}/config"), b"CONFIG_X=y\n"),
                (&format!("{lib}/modules.builtin"), b"kernel/fs/ext.ko\n"),
            ],
            "gz",
        ),
    ]
}

fn unpack_all(debs: &[Vec<u8>], release: &str, to: &Path) -> Result<Manifest, UnpackError> {
    let directory = tempfile::tempdir().unwrap();
    let paths: Vec<PathBuf> = (0..debs.len())
        .map(|n| directory.path().join(format!("{n}.deb")))
        .collect();
    for (path, bytes) in paths.iter().zip(debs) {
        fs::write(path, bytes).unwrap();
    }
    unpack(release, &paths, to)
}

#[test]
fn both_layouts_come_out_alike() {
    let release = "7.3.4+deb13-cloud-amd64";
    for debs in [one_package(release), split_packages(release)] {
        let directory = tempfile::tempdir().unwrap();
        let to = directory.path().join("it");
        let manifest = unpack_all(&debs, release, &to).unwrap();
        let files: Vec<&str> = manifest.files.keys().map(String::as_str).collect();
        assert_eq!(
            files,
            [
                "config",
                "modules/kernel/fs/overlay.ko",
                "modules/modules.builtin",
                "vmlinux",
                "vmlinuz"
            ]
        );
        assert_eq!(fs::read(to.join("vmlinux")).unwrap(), fake_vmlinux(release));
        let index = ModuleIndex::read(&to.join("modules")).unwrap();
        assert_eq!(
            index
                .load_order(release, &["overlay", "ext"])
                .unwrap()
                .len(),
            1
        );

        assert_eq!(Manifest::read(&to), Some(manifest.clone()));
        assert!(manifest.looks_whole(&to));
        assert!(manifest.damage(&to).is_empty());

        let mut vmlinux = fs::read(to.join("vmlinux")).unwrap();
        vmlinux[100] ^= 1;
        fs::write(to.join("vmlinux"), vmlinux).unwrap();
        fs::remove_file(to.join("config")).unwrap();
        assert!(!manifest.looks_whole(&to));
        let damage = manifest.damage(&to);
        assert_eq!(damage.len(), 2, "{damage:?}");
        assert!(damage[0].starts_with("config: "), "{damage:?}");
        assert!(
            damage[1].contains("vmlinux: its contents have changed"),
            "{damage:?}"
        );
    }
}

#[test]
fn what_lacks_a_part_is_refused_and_leaves_no_manifest() {
    let release = "7.3.4-cloud-amd64";
    let split = split_packages(release);
    for (without, what) in [(0, "image"), (1, "modules"), (2, "modules.builtin")] {
        let directory = tempfile::tempdir().unwrap();
        let mut debs = split.clone();
        debs.remove(without);
        let error = unpack_all(&debs, release, directory.path()).unwrap_err();
        assert!(
            error.to_string().contains(&format!("hold no {what};")),
            "{error}"
        );
        assert_eq!(Manifest::read(directory.path()), None);
    }
}

#[test]
fn the_image_of_another_release_is_refused() {
    let image = fake_bzimage("6.1.9", &fake_vmlinux("6.1.9"), None);
    let debs = [deb(
        &[
            ("boot/vmlinuz-6.1.8", &image),
            ("lib/modules/6.1.8/kernel/a.ko", b"module"),
            ("lib/modules/6.1.8/modules.builtin", b""),
        ],
        "gz",
    )];
    let directory = tempfile::tempdir().unwrap();
    let error = unpack_all(&debs, "6.1.8", directory.path()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the packages of 6.1.8 hold the image of 6.1.9"
    );
}

#[test]
fn only_what_is_needed_has_a_destination() {
    let at = |member: &str| destination(member, "6.1").map(|(to, _)| to);
    assert_eq!(at("boot/vmlinuz-6.1").as_deref(), Some("vmlinuz"));
    assert_eq!(
        at("usr/lib/modules/6.1/vmlinuz").as_deref(),
        Some("vmlinuz")
    );
    assert_eq!(
        at("lib/modules/6.1/kernel/a/b-c.ko.xz").as_deref(),
        Some("modules/kernel/a/b-c.ko")
    );
    for not_needed in [
        "boot/vmlinuz-6.10",
        "boot/System.map-6.1",
        "lib/modules/6.10/kernel/a.ko",
        "lib/modules/6.1/build",
        "lib/modules/6.1/extra/a.ko",
        "usr/share/doc/x",
    ] {
        assert_eq!(at(not_needed), None, "{not_needed}");
    }
}
