//! Images that a container names in its environment, for others to run: like the ingestor, which the jobs manager starts (DOMAIN §3).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Digest, Repository, Tag};

/// An image by the parts that variables name. A part that is missing, empty or malformed is none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarriedImage {
    /// Its repository.
    pub repository: Option<Repository>,
    /// Its tag.
    pub tag: Option<Tag>,
    /// Its digest.
    pub digest: Option<Digest>,
}

/// The images that an environment names by `NAME_IMAGE_REPOSITORY`, `NAME_IMAGE_TAG` and `NAME_IMAGE_DIGEST`, by NAME. Nothing else of the
/// environment is kept: it may hold anything.
pub fn carried<'text>(
    variables: impl IntoIterator<Item = (&'text str, &'text str)>,
) -> BTreeMap<String, CarriedImage> {
    let mut images: BTreeMap<String, CarriedImage> = BTreeMap::new();
    for (variable, value) in variables {
        let Some((name, part)) = variable.split_once("_IMAGE_") else {
            continue;
        };
        let value = value.trim();
        let mut image = |set: fn(&mut CarriedImage, &str)| {
            set(images.entry(name.to_owned()).or_default(), value);
        };
        match part {
            "REPOSITORY" => image(|image, text| image.repository = Repository::parse(text).ok()),
            "TAG" => image(|image, text| image.tag = Tag::parse(text).ok()),
            "DIGEST" => image(|image, text| image.digest = Digest::parse(text).ok()),
            _ => {}
        }
    }
    images
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_gathered_by_name_and_nothing_else_is_kept() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let images = carried([
            ("PASSWORD", "hunter2"),
            ("INGESTOR_IMAGE_DIGEST", digest.as_str()),
            ("INGESTOR_IMAGE_REPOSITORY", "ghcr.io/tracebloc/ingestor"),
            ("INGESTOR_IMAGE_TAG", ""),
            ("OTHER_IMAGE_TAG", "not a tag!"),
            ("JOB_IMAGE_HOST", "docker.io"),
        ]);
        let ingestor = &images["INGESTOR"];
        assert_eq!(ingestor.digest.as_ref().unwrap().to_string(), digest);
        assert_eq!(
            ingestor.repository.as_ref().unwrap().familiar(),
            "ghcr.io/tracebloc/ingestor"
        );
        assert_eq!(ingestor.tag, None);
        assert_eq!(images["OTHER"], CarriedImage::default());
        assert_eq!(images.len(), 2, "{images:?}");
    }
}
