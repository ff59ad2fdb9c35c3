//! Archives whose bytes depend on nothing but the files in them.

use std::io::{self, Write as _};

use flate2::{Compression, GzBuilder};

use super::{Blob, sha256_hex};

/// A layer of an image: a compressed archive of files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// The compressed archive.
    pub blob: Blob,
    /// The digest of the archive before compression, which the image configuration names.
    pub diff_id: String,
}

impl Layer {
    /// Packs files, each with its path inside the image, its permission bits and its bytes.
    pub fn of_files(files: &[(&str, u32, &[u8])]) -> Self {
        let archive = tar_of(files.iter().copied());
        Self {
            diff_id: format!("sha256:{}", sha256_hex(&archive)),
            blob: Blob::new(gzip(&archive)),
        }
    }
}

/// Packs files into a compressed archive, in the order given.
pub(crate) fn gzip_tar<'a>(files: impl Iterator<Item = (&'a str, u32, &'a [u8])>) -> Vec<u8> {
    gzip(&tar_of(files))
}

/// Writes to memory only and with paths that are short and relative, hence cannot fail.
#[expect(
    clippy::expect_used,
    reason = "writing to a vector never fails and the paths are the test bed's own"
)]
fn tar_of<'a>(files: impl Iterator<Item = (&'a str, u32, &'a [u8])>) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, mode, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_size(bytes.len() as u64);
        header.set_mode(mode);
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        builder
            .append_data(&mut header, path, bytes)
            .expect("an archive in memory can be written");
    }
    builder
        .into_inner()
        .expect("an archive in memory can be finished")
}

#[expect(clippy::expect_used, reason = "writing to a vector never fails")]
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let write = || -> io::Result<Vec<u8>> {
        let mut encoder = GzBuilder::new()
            .mtime(0)
            .operating_system(255)
            .write(Vec::new(), Compression::default());
        encoder.write_all(bytes)?;
        encoder.finish()
    };
    write().expect("compression into memory cannot fail")
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn a_layer_unpacks_to_its_files() {
        let layer = Layer::of_files(&[("content", 0o644, b"hello")]);
        let mut archive = Vec::new();
        flate2::read::GzDecoder::new(&layer.blob.bytes[..])
            .read_to_end(&mut archive)
            .expect("it is gzip");
        assert_eq!(layer.diff_id, format!("sha256:{}", sha256_hex(&archive)));
        let mut entries = tar::Archive::new(&archive[..]);
        let mut entry = entries
            .entries()
            .expect("it is tar")
            .next()
            .expect("one entry")
            .expect("readable");
        assert_eq!(entry.path().expect("a path").to_str(), Some("content"));
        let mut text = String::new();
        entry.read_to_string(&mut text).expect("text");
        assert_eq!(text, "hello");
    }
}
