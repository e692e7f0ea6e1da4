//! Reads the files that evaluations may name: plain files of one folder, and no others.

use std::fs;
use std::path::{Component, Path, PathBuf};

/// Bytes of a file at most.
const BYTES_MAX: u64 = 16 << 20;
/// Files listed at most.
const LISTED_MAX: usize = 500;

/// The text of the file `name` in `folder`. A name with a folder in it, a link, or what is no file
/// is refused: whoever asks may be anybody who reaches the page.
pub(super) fn read(folder: Option<&Path>, name: &Path) -> Result<String, String> {
    let shown = name.display();
    let Some(folder) = folder else {
        return Err(format!(
            "{shown} cannot be read: the config names no folder of data sets (`runs.sets`)"
        ));
    };
    let mut parts = name.components();
    let plain = matches!(parts.next(), Some(Component::Normal(_))) && parts.next().is_none();
    let hidden = name.as_os_str().as_encoded_bytes().starts_with(b".");
    if !plain || hidden {
        return Err(format!("{shown} is not the name of a file in `runs.sets`"));
    }
    let place = folder.join(name);
    let found = fs::symlink_metadata(&place)
        .map_err(|error| format!("cannot read {shown} in `runs.sets`: {error}"))?;
    if !found.is_file() {
        return Err(format!("{shown} in `runs.sets` is no plain file"));
    }
    if found.len() > BYTES_MAX {
        return Err(format!("{shown} is over {} MiB", BYTES_MAX >> 20));
    }
    fs::read_to_string(&place).map_err(|error| format!("cannot read {shown}: {error}"))
}

/// The names of the files that [`read`] would read, in order.
pub(super) fn names(folder: Option<&Path>) -> Vec<String> {
    let Some(entries) = folder.and_then(|folder| fs::read_dir(folder).ok()) else {
        return Vec::new();
    };
    let name = |path: PathBuf| {
        let is_file = fs::symlink_metadata(&path).ok()?.is_file();
        let name = path.file_name()?.to_str()?.to_owned();
        (is_file && !name.starts_with('.')).then_some(name)
    };
    let names = entries.flatten().filter_map(|entry| name(entry.path()));
    let mut names: Vec<String> = names.take(LISTED_MAX).collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn nothing_but_plain_files_of_the_folder_is_read() {
        let around = tempfile::tempdir().unwrap();
        fs::write(around.path().join("secret"), "secret").unwrap();
        let folder = around.path().join("sets");
        fs::create_dir_all(folder.join("within")).unwrap();
        fs::write(folder.join("within/set.jsonl"), "{}").unwrap();
        fs::write(folder.join("set.jsonl"), "{}").unwrap();
        fs::write(folder.join(".hidden"), "x").unwrap();
        symlink(around.path().join("secret"), folder.join("link")).unwrap();
        let read_it = |name: &str| read(Some(&folder), Path::new(name));
        assert_eq!(read_it("set.jsonl").unwrap(), "{}");
        for name in [
            "../secret",
            "/etc/hostname",
            "./set.jsonl/../../secret",
            "within/set.jsonl",
            "within",
            "link",
            ".hidden",
            ".",
            "..",
            "",
            "none",
        ] {
            let told = read_it(name).unwrap_err();
            assert!(!told.contains(&*folder.to_string_lossy()), "{told}");
        }
        assert!(read(None, Path::new("set.jsonl")).is_err());
        assert_eq!(names(Some(&folder)), ["set.jsonl"]);
        assert_eq!(names(None), Vec::<String>::new());
    }
}
