//! The names that were probably meant, for messages about one that does not exist.

/// The names that contain the wanted one, are contained in it, or differ from it by few letters; the nearest first.
pub(crate) fn nearest<'name>(
    names: impl IntoIterator<Item = &'name str>,
    wanted: &str,
    limit: usize,
) -> Vec<String> {
    let mut near: Vec<(usize, &str)> = names
        .into_iter()
        .map(|name| (distance(name, wanted), name))
        .filter(|(distance, name)| {
            *distance <= wanted.chars().count().div_ceil(3)
                || name.contains(wanted)
                || (!name.is_empty() && wanted.contains(name))
        })
        .collect();
    near.sort_unstable();
    near.into_iter()
        .take(limit)
        .map(|(_, name)| name.to_owned())
        .collect()
}

/// How many letters must be added, removed or replaced to make one text of the other.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, own) in left.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], index + 1);
        for (column, other) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(own != *other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_comes_first() {
        let names = [
            "chart-behind",
            "chart-ahead",
            "digest-behind",
            "record-lies",
        ];
        assert_eq!(nearest(names, "chart-behnd", 3)[0], "chart-behind");
        assert_eq!(
            nearest(names, "chart", 3),
            ["chart-ahead", "chart-behind"],
            "what contains the word"
        );
        assert_eq!(nearest(names, "chart-behind", 1), ["chart-behind"]);
        assert_eq!(nearest(names, "zzz", 3), Vec::<String>::new());
    }
}
