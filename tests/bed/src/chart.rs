//! Helm charts packaged from the sample folders, with this bed's registry written into them.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use hyper::body::Bytes;
use serde_json::Value;

use crate::image::{gzip_tar, sha256_hex};

/// What stands in the sample charts where a registry belongs.
pub const REGISTRY_PLACEHOLDER: &str = "@REGISTRY@";

/// Why a chart could not be packaged.
#[derive(Debug, thiserror::Error)]
pub enum ChartError {
    /// A file or folder could not be read.
    #[error("`{path}` could not be read")]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// There is no `Chart.yaml` at the top.
    #[error("the chart has no `Chart.yaml`")]
    MetadataMissing,
    /// `Chart.yaml` is not a mapping with a name and a version.
    #[error("`Chart.yaml` is not usable: {0}")]
    Metadata(String),
}

/// A packaged chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// The chart's name.
    pub name: String,
    /// The chart's version.
    pub version: String,
    /// The archive that Helm installs.
    pub bytes: Bytes,
    /// The hexadecimal SHA-256 of the archive, without a prefix, as an index writes it.
    pub sha256: String,
    /// `Chart.yaml`.
    pub metadata: Value,
    files: BTreeMap<String, Vec<u8>>,
}

impl Chart {
    /// Packages a sample of `tests/bed/charts/`, for example `client-1.9.40`, with images from `registry` (`host:port/path`).
    pub fn sample(name: &str, registry: &str) -> Result<Self, ChartError> {
        Self::package(&samples_directory().join(name), registry)
    }

    /// Packages every sample of `tests/bed/charts/`, in the order of their folder names.
    pub fn samples(registry: &str) -> Result<Vec<Self>, ChartError> {
        let directory = samples_directory();
        let folders = list(&directory)?
            .into_iter()
            .filter(|path| path.join("Chart.yaml").is_file());
        folders
            .map(|folder| Self::package(&folder, registry))
            .collect()
    }

    /// Packages a chart folder, writing `registry` over [`REGISTRY_PLACEHOLDER`] in every text file.
    pub fn package(directory: &Path, registry: &str) -> Result<Self, ChartError> {
        let mut files = BTreeMap::new();
        read_folder(directory, "", &mut files)?;
        for bytes in files.values_mut() {
            if let Ok(text) = std::str::from_utf8(bytes)
                && text.contains(REGISTRY_PLACEHOLDER)
            {
                *bytes = text.replace(REGISTRY_PLACEHOLDER, registry).into_bytes();
            }
        }
        Self::from_files(files)
    }

    /// Packages files given by their paths inside the chart.
    pub fn from_files(files: BTreeMap<String, Vec<u8>>) -> Result<Self, ChartError> {
        let document = files.get("Chart.yaml").ok_or(ChartError::MetadataMissing)?;
        let metadata: Value = serde_saphyr::from_slice(document)
            .map_err(|error| ChartError::Metadata(error.to_string()))?;
        let text = |key: &str| {
            let value = metadata.get(key).and_then(Value::as_str).map(str::to_owned);
            value.ok_or_else(|| ChartError::Metadata(format!("`{key}` is missing or no string")))
        };
        let (name, version) = (text("name")?, text("version")?);
        let paths: Vec<(String, &Vec<u8>)> = files
            .iter()
            .map(|(path, bytes)| (format!("{name}/{path}"), bytes))
            .collect();
        let archive = gzip_tar(
            paths
                .iter()
                .map(|(path, bytes)| (path.as_str(), 0o644, bytes.as_slice())),
        );
        Ok(Self {
            name,
            version,
            sha256: sha256_hex(&archive),
            bytes: archive.into(),
            metadata,
            files,
        })
    }

    /// Packages the same files as another version, with `appVersion` alike.
    pub fn with_version(&self, version: &str) -> Result<Self, ChartError> {
        let mut files = self.files.clone();
        if let Some(document) = files.get_mut("Chart.yaml") {
            *document = set_versions(&String::from_utf8_lossy(document), version).into_bytes();
        }
        Self::from_files(files)
    }

    /// Packages the same chart with one file added or replaced: the same version with another digest.
    pub fn with_file(&self, path: &str, bytes: impl Into<Vec<u8>>) -> Result<Self, ChartError> {
        let mut files = self.files.clone();
        files.insert(path.to_owned(), bytes.into());
        Self::from_files(files)
    }

    /// A file of the chart; empty where it has none of that path.
    pub fn file(&self, path: &str) -> String {
        let bytes = self.files.get(path).map(Vec::as_slice);
        String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned()
    }

    /// Returns the file name under which a chart repository serves the chart.
    pub fn file_name(&self) -> String {
        format!("{}-{}.tgz", self.name, self.version)
    }
}

fn samples_directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("charts")
}

fn read_folder(
    directory: &Path,
    prefix: &str,
    files: &mut BTreeMap<String, Vec<u8>>,
) -> Result<(), ChartError> {
    for path in list(directory)? {
        let Some(name) = path.file_name() else {
            continue;
        };
        let inner = format!("{prefix}{}", name.to_string_lossy());
        if path.is_dir() {
            read_folder(&path, &format!("{inner}/"), files)?;
        } else {
            let bytes = fs::read(&path).map_err(|source| ChartError::Read { path, source })?;
            files.insert(inner, bytes);
        }
    }
    Ok(())
}

fn list(directory: &Path) -> Result<Vec<PathBuf>, ChartError> {
    let read = || -> io::Result<Vec<PathBuf>> {
        let entries: io::Result<Vec<_>> = fs::read_dir(directory)?.collect();
        let mut paths: Vec<PathBuf> = entries?.into_iter().map(|entry| entry.path()).collect();
        paths.sort();
        Ok(paths)
    };
    read().map_err(|source| ChartError::Read {
        path: directory.to_owned(),
        source,
    })
}

fn set_versions(document: &str, version: &str) -> String {
    let lines = document.lines().map(|line| match line.split_once(':') {
        Some((key @ ("version" | "appVersion"), _)) => format!("{key}: \"{version}\"\n"),
        Some(_) | None => format!("{line}\n"),
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn chart(values: &str) -> Chart {
        let files = [
            (
                "Chart.yaml",
                "apiVersion: v2\nname: small\nversion: 0.1.0\nappVersion: \"0.1.0\"\n",
            ),
            ("values.yaml", values),
            ("templates/map.yaml", "kind: ConfigMap\n"),
        ];
        let files = files.map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()));
        Chart::from_files(files.into()).expect("a usable chart")
    }

    fn unpack(chart: &Chart) -> BTreeMap<String, String> {
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&chart.bytes[..]));
        let entries = archive.entries().expect("it is tar").map(|entry| {
            let mut entry = entry.expect("readable");
            let path = entry.path().expect("a path").to_string_lossy().into_owned();
            let mut text = String::new();
            entry.read_to_string(&mut text).expect("text");
            (path, text)
        });
        entries.collect()
    }

    #[test]
    fn packaging_twice_gives_the_same_bytes() {
        assert_eq!(chart("a: 1\n").bytes, chart("a: 1\n").bytes);
        assert_ne!(chart("a: 1\n").sha256, chart("a: 2\n").sha256);
    }

    #[test]
    fn every_file_lies_below_the_name_of_the_chart() {
        let paths: Vec<String> = unpack(&chart("")).into_keys().collect();
        assert_eq!(
            paths,
            [
                "small/Chart.yaml",
                "small/templates/map.yaml",
                "small/values.yaml"
            ]
        );
    }

    #[test]
    fn another_version_is_in_the_metadata_and_in_the_archive() {
        let newer = chart("").with_version("0.2.0").expect("still usable");
        assert_eq!(newer.version, "0.2.0");
        assert_eq!(newer.metadata["appVersion"], "0.2.0");
        assert_eq!(newer.file_name(), "small-0.2.0.tgz");
        assert!(unpack(&newer)["small/Chart.yaml"].contains("version: \"0.2.0\""));
    }

    #[test]
    fn the_placeholder_becomes_the_registry() {
        let directory =
            std::env::temp_dir().join(format!("tracebloc-bed-chart-{}", std::process::id()));
        fs::create_dir_all(&directory).expect("a folder");
        fs::write(
            directory.join("Chart.yaml"),
            "name: small\nversion: 0.1.0\n",
        )
        .expect("a file");
        fs::write(directory.join("values.yaml"), "image: @REGISTRY@/app\n").expect("a file");
        let chart = Chart::package(&directory, "127.0.0.1:5000/t-abc").expect("a usable chart");
        fs::remove_dir_all(&directory).expect("removable");
        assert_eq!(
            unpack(&chart)["small/values.yaml"],
            "image: 127.0.0.1:5000/t-abc/app\n"
        );
    }

    #[test]
    fn a_chart_without_a_version_is_refused() {
        let files = BTreeMap::from([("Chart.yaml".to_owned(), b"name: small\n".to_vec())]);
        let error = Chart::from_files(files).expect_err("no version");
        assert!(error.to_string().contains("`version`"), "{error}");
        let error = Chart::from_files(BTreeMap::new()).expect_err("no metadata");
        assert!(error.to_string().contains("`Chart.yaml`"), "{error}");
    }
}
