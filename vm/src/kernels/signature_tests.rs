use std::time::Duration;

use pgp::composed::{KeyType, SecretKeyParamsBuilder, SignedSecretKey, SubkeyParamsBuilder};
use pgp::ser::Serialize as _;
use pgp::types::Password;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;

use super::*;

/// An archive's key as Debian makes them: the primary key certifies, and a subkey signs.
pub(crate) struct TestKey(SignedSecretKey);

impl TestKey {
    pub(crate) fn new(seed: u64) -> Self {
        let subkey = SubkeyParamsBuilder::default()
            .key_type(KeyType::Ed25519Legacy)
            .can_sign(true)
            .build()
            .unwrap();
        let params = SecretKeyParamsBuilder::default()
            .key_type(KeyType::Ed25519Legacy)
            .can_certify(true)
            .can_sign(false)
            .primary_user_id("Test Archive <ftp@archive.example>".into())
            .subkey(subkey)
            .build()
            .unwrap();
        Self(params.generate(ChaCha8Rng::seed_from_u64(seed)).unwrap())
    }

    fn public(&self) -> Vec<u8> {
        self.0.to_public_key().to_bytes().unwrap()
    }

    /// Writes the key as a keyring file.
    pub(crate) fn write(&self, directory: &Path, name: &str) -> PathBuf {
        let path = directory.join(name);
        fs::write(&path, self.public()).unwrap();
        path
    }

    pub(crate) fn sign(&self, text: &str) -> String {
        let key = &self.0.secret_subkeys[0].key;
        sign_with(text, key)
    }

    /// Signs with the primary key, which is not meant for that.
    fn sign_with_primary(&self, text: &str) -> String {
        sign_with(text, &self.0.primary_key)
    }
}

fn sign_with(text: &str, key: &impl pgp::types::SigningKey) -> String {
    CleartextSignedMessage::sign(ChaCha8Rng::seed_from_u64(7), text, key, &Password::empty())
        .unwrap()
        .to_armored_string(None.into())
        .unwrap()
}

const TEXT: &str = "Suite: x\n- dashed: y\nSHA256:\n 00 1 a\n";

fn check(keyring: &Keyring, message: &str) -> Result<String, SignatureError> {
    keyring.signed_text("the index", message.as_bytes(), SystemTime::now())
}

#[test]
fn a_trusted_signature_gives_the_text_that_was_signed_and_no_more() {
    let directory = tempfile::tempdir().unwrap();
    let key = TestKey::new(1);
    let others = [
        TestKey::new(2).write(directory.path(), "other.gpg"),
        key.write(directory.path(), "archive.gpg"),
    ];
    let keyring = Keyring::open(&others).unwrap();
    let signed = key.sign(TEXT);
    let text = check(&keyring, &signed).unwrap();
    assert_eq!(text.trim_end(), TEXT.trim_end());

    let framed = format!("Suite: before\n{signed}");
    if let Ok(text) = check(&keyring, &framed) {
        assert!(!text.contains("before"), "{text}");
    }
}

#[test]
fn armored_keyrings_are_read_too() {
    let directory = tempfile::tempdir().unwrap();
    let key = TestKey::new(1);
    let path = directory.path().join("archive.asc");
    fs::write(
        &path,
        key.0
            .to_public_key()
            .to_armored_string(None.into())
            .unwrap(),
    )
    .unwrap();
    check(&Keyring::open(&[path]).unwrap(), &key.sign(TEXT)).unwrap();
}

#[test]
fn what_is_not_signed_by_a_trusted_key_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let key = TestKey::new(1);
    let keyring = Keyring::open(&[key.write(directory.path(), "archive.gpg")]).unwrap();
    let signed = key.sign(TEXT);
    let untrusted = [
        signed.replace("Suite: x", "Suite: z"),
        TestKey::new(2).sign(TEXT),
        key.sign_with_primary(TEXT),
    ];
    for message in &untrusted {
        let error = check(&keyring, message).unwrap_err();
        assert!(matches!(error, SignatureError::Untrusted { .. }), "{error}");
        assert!(error.to_string().contains("archive.gpg"), "{error}");
    }
    for message in ["", "<html>", TEXT, &signed[..signed.len() / 2]] {
        let error = check(&keyring, message).unwrap_err();
        assert!(
            matches!(error, SignatureError::NotSigned { .. }),
            "{message}: {error}"
        );
    }
}

#[test]
fn a_signature_from_the_future_proves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let key = TestKey::new(1);
    let keyring = Keyring::open(&[key.write(directory.path(), "archive.gpg")]).unwrap();
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let error = keyring
        .signed_text("it", key.sign(TEXT).as_bytes(), long_ago)
        .unwrap_err();
    assert!(matches!(error, SignatureError::Untrusted { .. }), "{error}");
}

#[test]
fn keyrings_are_found_and_those_that_cannot_be_read_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let error = Keyring::of_host(directory.path()).unwrap_err().to_string();
    assert!(
        error.contains("debian-archive-keyring") && error.contains("--keyring"),
        "{error}"
    );

    for name in [
        "debian-archive-b.gpg",
        "debian-archive-a.pgp",
        "debian-archive-removed-keys.gpg",
        "other.gpg",
    ] {
        fs::write(directory.path().join(name), b"not a key").unwrap();
    }
    let found = Keyring::of_host(directory.path()).unwrap();
    assert_eq!(
        found,
        ["debian-archive-a.pgp", "debian-archive-b.gpg"].map(|name| directory.path().join(name))
    );

    for name in ["other.gpg", "gone.gpg"] {
        let error = Keyring::open(&[directory.path().join(name)])
            .unwrap_err()
            .to_string();
        assert!(error.contains(name), "{error}");
    }
}
