//! A folder of machine code that loads only what this installation wrote.
//!
//! Beside each `<digest>-<settings>.cwasm` lies a `.mac`: its HMAC under the key in `key`, which only this user can
//! read. Whatever does not match is compiled again.

use crate::mac::{self, Key};
use crate::native_code::OwnOutput;
use fermata_core::Digest;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use wasmtime::Engine;

pub struct Cache {
    folder: PathBuf,
    key: Key,
    /// Changes with wasmtime's version, its settings and the processor's features.
    settings: u64,
}

impl Cache {
    /// Opens or makes the folder and its key.
    pub fn open(folder: &Path, engine: &Engine) -> io::Result<Self> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let mut settings = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut settings);
        Ok(Self {
            folder: folder.into(),
            key: key(folder)?,
            settings: settings.finish(),
        })
    }
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Machine code of a component, if it is there and ours.
    pub fn get(&self, component: &Digest) -> Option<OwnOutput> {
        let name = self.name(component);
        let code = std::fs::read(self.path(&name, "cwasm")).ok()?;
        let found = std::fs::read(self.path(&name, "mac")).unwrap_or_default();
        if !mac::same(&found, &self.mark(&name, &code)) {
            tracing::warn!(
                file = %self.path(&name, "cwasm").display(),
                "cached machine code is not what this installation wrote; compiling it again"
            );
            return None;
        }
        Some(OwnOutput::vouched_for(code))
    }

    /// Keeps machine code. Each file appears at once or not at all; a code without its mark is not loaded.
    pub fn put(&self, component: &Digest, code: &OwnOutput) -> io::Result<()> {
        let name = self.name(component);
        let mark = self.mark(&name, code.bytes());
        write(&self.folder, &self.path(&name, "cwasm"), code.bytes())?;
        write(&self.folder, &self.path(&name, "mac"), &mark)
    }

    fn name(&self, component: &Digest) -> String {
        format!("{}-{:016x}", component.full(), self.settings)
    }
    fn path(&self, name: &str, extension: &str) -> PathBuf {
        self.folder.join(format!("{name}.{extension}"))
    }
    /// The name is part of the mark (and always of one length), so that files cannot change places.
    fn mark(&self, name: &str, code: &[u8]) -> mac::Mac {
        mac::mark(&self.key, &[name.as_bytes(), code])
    }
}

fn write(folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.persist(path)?;
    Ok(())
}

/// The folder's key; made anew where there is none, or where others could have read it.
fn key(folder: &Path) -> io::Result<Key> {
    let path = folder.join("key");
    if let Some(key) = kept_key(&path)? {
        return Ok(key);
    }
    let mut key = Key::default();
    getrandom::fill(&mut key).map_err(|e| io::Error::other(e.to_string()))?;
    // Readable by its owner alone from the first moment on.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(&key)?;
    match file.persist_noclobber(&path) {
        Ok(_) => Ok(key),
        // Another process was faster: its key is everybody's.
        Err(e) if e.error.kind() == io::ErrorKind::AlreadyExists => {
            kept_key(&path)?.ok_or_else(|| io::Error::other(format!("{} keeps changing", path.display())))
        }
        Err(e) => Err(e.error),
    }
}

fn kept_key(path: &Path) -> io::Result<Option<Key>> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    let private = std::fs::metadata(path)?.permissions().mode() & 0o077 == 0;
    if let (true, Ok(key)) = (private, Key::try_from(bytes)) {
        return Ok(Some(key));
    }
    tracing::warn!(file = %path.display(), "the cache's key was open to others or damaged; making a new one");
    std::fs::remove_file(path)?;
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixture {
        folder: tempfile::TempDir,
        engine: Engine,
    }
    impl Fixture {
        fn new() -> Self {
            Self {
                folder: tempfile::tempdir().unwrap(),
                engine: Engine::new(&crate::settings::config()).unwrap(),
            }
        }
        fn cache(&self) -> Cache {
            Cache::open(&self.folder.path().join("cache"), &self.engine).unwrap()
        }
    }
    fn code(text: &str) -> OwnOutput {
        OwnOutput::vouched_for(text.into())
    }
    fn found(cache: &Cache, digest: &Digest) -> Option<Vec<u8>> {
        cache.get(digest).map(|code| code.bytes().to_vec())
    }

    #[test]
    fn gives_back_what_was_put_even_after_a_restart() {
        let fixture = Fixture::new();
        let digest = Digest::of(b"a");
        assert_eq!(found(&fixture.cache(), &digest), None);
        fixture.cache().put(&digest, &code("machine code")).unwrap();
        assert_eq!(found(&fixture.cache(), &digest), Some(b"machine code".to_vec()));
        assert_eq!(found(&fixture.cache(), &Digest::of(b"b")), None);
    }

    #[test]
    fn what_was_changed_moved_or_left_unmarked_is_not_given() {
        let fixture = Fixture::new();
        let cache = fixture.cache();
        let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
        cache.put(&a, &code("code of a")).unwrap();
        cache.put(&b, &code("code of b")).unwrap();
        let path = |digest: &Digest, extension| cache.path(&cache.name(digest), extension);

        std::fs::write(path(&a, "cwasm"), "code of A").unwrap();
        assert_eq!(found(&cache, &a), None, "changed");

        for extension in ["cwasm", "mac"] {
            std::fs::copy(path(&b, extension), path(&a, extension)).unwrap();
        }
        assert_eq!(found(&cache, &a), None, "moved, with its mark");
        assert_eq!(found(&cache, &b), Some(b"code of b".to_vec()));

        std::fs::remove_file(path(&b, "mac")).unwrap();
        assert_eq!(found(&cache, &b), None, "unmarked");
    }

    #[test]
    fn a_key_that_others_could_read_is_replaced() {
        let fixture = Fixture::new();
        let cache = fixture.cache();
        let digest = Digest::of(b"a");
        cache.put(&digest, &code("x")).unwrap();
        let key = cache.folder().join("key");
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&key), 0o600);
        assert_eq!(mode(cache.folder()), 0o700);
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
        let reopened = fixture.cache();
        assert_ne!(reopened.key, cache.key);
        assert_eq!(mode(&key), 0o600);
        assert_eq!(found(&reopened, &digest), None);
    }
}
