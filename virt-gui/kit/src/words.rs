//! What things are called for people that have no name of their own.

/// The last part of a path; the whole where it has none.
pub fn file_name(path: &str) -> String {
    path.rsplit('/').find(|part| !part.is_empty()).unwrap_or(path).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_called_by_the_end_of_its_path() {
        assert_eq!(file_name("/isos/a b.iso"), "a b.iso");
        assert_eq!(file_name("/isos/folder/"), "folder");
        assert_eq!(file_name("/"), "/");
    }
}
