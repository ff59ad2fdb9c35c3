use super::*;

/// A cache of its own for each test, removed at the end.
struct Place(Cache);

impl Place {
    fn new(name: &str) -> Self {
        let directory =
            std::env::temp_dir().join(format!("tracebloc-cache-{name}-{}", std::process::id()));
        Self(Cache::at(&directory, Timestamp::now()))
    }

    fn limited(name: &str, limit: u64) -> Self {
        let mut place = Self::new(name);
        place.0.limit = limit;
        place
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _never_made = fs::remove_dir_all(&self.0.directory);
    }
}

fn etag(text: &str) -> Validators {
    Validators {
        etag: Some(text.to_owned()),
        last_modified: None,
    }
}

fn copy(validators: Validators, body: &[u8]) -> Kept {
    Kept {
        validators,
        charts: None,
        body: body.to_vec(),
    }
}

#[test]
fn what_is_kept_is_read_again() {
    let place = Place::new("round-trip");
    let cache = &place.0;
    cache.keep_copy(Kind::Index, "https://a", copy(etag("\"1\""), b"entries:\n"));
    assert_eq!(cache.copy(Kind::Index, "https://b"), None);
    assert_eq!(cache.copy(Kind::Tags, "https://a"), None);
    let kept = cache.copy(Kind::Index, "https://a").unwrap();
    assert_eq!(
        (kept.validators, kept.body.as_slice()),
        (etag("\"1\""), b"entries:\n".as_slice())
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let path = cache.path(Kind::Index, "https://a");
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
        assert_eq!(mode(&cache.directory), 0o700);
    }
}

#[test]
fn a_damaged_copy_is_none() {
    let place = Place::new("damaged");
    let cache = &place.0;
    cache.keep_copy(Kind::Index, "https://a", copy(etag("1"), b"0123456789"));
    let path = cache.path(Kind::Index, "https://a");
    let whole = fs::read(&path).unwrap();
    for cut in [0, 5, whole.len() - 1] {
        fs::write(&path, &whole[..cut]).unwrap();
        assert_eq!(cache.copy(Kind::Index, "https://a"), None, "{cut}");
    }
}

#[test]
fn nothing_is_kept_that_cannot_be_asked_about() {
    let place = Place::new("bare");
    place
        .0
        .keep_copy(Kind::Tags, "https://a", copy(Validators::default(), b"x"));
    assert_eq!(place.0.copy(Kind::Tags, "https://a"), None);
    assert!(!place.0.directory.exists());
}

#[test]
fn the_least_recently_used_goes_first() {
    let place = Place::limited("limit", 250);
    let cache = &place.0;
    let age = |key: &str, seconds| {
        let file = fs::File::options()
            .write(true)
            .open(cache.path(Kind::Config, key))
            .unwrap();
        let then = SystemTime::now() - Duration::from_secs(seconds);
        file.set_modified(then).unwrap();
    };
    for (key, seconds) in [("a", 30), ("b", 20)] {
        cache.keep(Kind::Config, key, &[0; 100]);
        age(key, seconds);
    }
    // Reading counts as use.
    assert!(cache.read(Kind::Config, "a").is_some());
    cache.keep(Kind::History, "c", &[0; 100]);
    assert!(cache.read(Kind::Config, "b").is_none());
    assert!(cache.read(Kind::Config, "a").is_some());
    assert!(cache.read(Kind::History, "c").is_some());
}

#[test]
fn what_killed_runs_left_goes_after_a_while() {
    let place = Place::new("aside");
    let cache = &place.0;
    cache.keep(Kind::Config, "a", b"x");
    let aside = cache.path(Kind::Config, "b").with_extension("1-1.part");
    fs::write(&aside, b"half").unwrap();
    cache.trim(SystemTime::now()).unwrap();
    assert!(aside.exists(), "its writer may be at work");
    cache.trim(SystemTime::now() + 2 * ABANDONED).unwrap();
    assert!(!aside.exists());
    assert!(cache.read(Kind::Config, "a").is_some());
}

#[test]
fn only_our_own_files_are_removed() {
    let place = Place::new("clear");
    let cache = &place.0;
    assert_eq!(cache.clear().unwrap(), Cleared::default());
    cache.keep(Kind::Config, "a", &[0; 10]);
    cache.keep(Kind::Index, "b", &[0; 20]);
    let hash = "0".repeat(64);
    let strangers = [
        cache.directory.join("notes.txt"),
        cache.directory.join("indexes/notes.index"),
        cache.directory.join(format!("indexes/{hash}.txt")),
        cache.directory.join(format!("{hash}.index")),
    ];
    for stranger in &strangers {
        fs::write(stranger, b"mine").unwrap();
    }
    #[cfg(unix)]
    std::os::unix::fs::symlink(
        &strangers[0],
        cache.directory.join(format!("configs/{hash}.config")),
    )
    .unwrap();
    let cleared = cache.clear().unwrap();
    assert_eq!((cleared.files, cleared.bytes), (2, 30));
    assert!(strangers.iter().all(|stranger| stranger.exists()));
}

#[test]
fn concurrent_writers_leave_one_whole_file() {
    let place = Place::new("concurrent");
    std::thread::scope(|scope| {
        for byte in 0..8_u8 {
            let cache = &place.0;
            scope.spawn(move || {
                for _ in 0..50 {
                    cache.keep(Kind::Config, "a", &[byte; 5000]);
                    let read = cache.read(Kind::Config, "a").unwrap();
                    assert_eq!(read.len(), 5000);
                    assert!(read.iter().all(|other| *other == read[0]));
                }
            });
        }
    });
}

#[test]
fn the_limit_is_looked_after_at_the_first_writing_and_then_now_and_then() {
    let place = Place::limited("now-and-then", 1600);
    let cache = &place.0;
    let due: Vec<bool> = [0, 60, 30, 20, 100]
        .into_iter()
        .map(|bytes| cache.is_to_trim(bytes))
        .collect();
    assert_eq!(due, [true, false, false, true, false]);
    assert!(cache.is_to_trim(1));
}

#[test]
fn fuzzed() {
    let place = Place::new("fuzzed");
    let cache = &place.0;
    cache.keep_copy(Kind::Tags, "https://a", copy(etag("\"1\""), b"{}"));
    let path = cache.path(Kind::Tags, "https://a");
    let whole = fs::read(&path).unwrap();
    tracebloc_fuzz::fuzz(
        "files of the cache",
        &[&whole],
        &["\"url\":", "length"],
        |bytes| {
            fs::write(&path, bytes).unwrap();
            let _copy = cache.copy(Kind::Tags, "https://a");
        },
    );
}

#[test]
fn a_shortened_copy_answers_for_its_charts_only() {
    let place = Place::new("shortened");
    let whole = copy(etag("1"), b"entries:\n");
    assert!(whole.covers("client") && whole.covers("other"));
    let shortened = Kept {
        charts: Some(vec!["client".to_owned()]),
        ..whole
    };
    place.0.keep_copy(Kind::Index, "https://a", shortened);
    let kept = place.0.copy(Kind::Index, "https://a").unwrap();
    assert!(kept.covers("client") && !kept.covers("other"));
}
