//! Where libev may be: the folders to look in for its header and its library, in order.
//!
//! Shared by `build.rs`, which links what is found here, and by the crate's tests. Owns no
//! environment and no output: the caller passes both the variables and the target in.
//!
//! Invariant: a search looks into a fixed list of folders and never below them, so that it ends at
//! once on any machine (a walk of `/usr/local` over a network mount does not).

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The variables that name further folders; a change of one asks for a new build.
pub const VARIABLES: [&str; 3] = ["C_INCLUDE_PATH", "LD_LIBRARY_PATH", "LIBPATH"];

/// What the search must know of the machine the crate is built for.
pub struct Target {
    /// Debian's name for the architecture's folders, such as `x86_64-linux-gnu`.
    pub multiarch: String,
    /// Whether names end in `.dylib` instead of `.so`.
    pub apple: bool,
}

impl Target {
    /// Reads cargo's `CARGO_CFG_TARGET_*` variables through `variable`.
    pub fn from_cargo(variable: &dyn Fn(&str) -> Option<OsString>) -> Target {
        let read = |name: &str| {
            let value = variable(&format!("CARGO_CFG_TARGET_{name}")).unwrap_or_default();
            value.to_string_lossy().into_owned()
        };
        let arch = match (read("ARCH").as_str(), read("ENDIAN").as_str()) {
            ("x86", _) => "i386".to_owned(),
            ("powerpc64", "little") => "powerpc64le".to_owned(),
            (arch, _) => arch.to_owned(),
        };
        Target {
            multiarch: format!("{arch}-linux-{}{}", read("ENV"), read("ABI")),
            apple: read("VENDOR") == "apple",
        }
    }
}

/// Folders that may hold `ev.h`: those of the environment first.
pub fn include_dirs(variable: &dyn Fn(&str) -> Option<OsString>, target: &Target) -> Vec<PathBuf> {
    let [headers, _, root] = VARIABLES.map(variable);
    let mut dirs = listed(headers);
    dirs.extend(root.map(|root| Path::new(&root).join("include")));
    for root in ["/usr/include", "/usr/local/include", "/opt/local/include"] {
        dirs.push(root.into());
        // Fedora and FreeBSD keep it beside libevent's compatibility header.
        dirs.push(Path::new(root).join("libev"));
    }
    dirs.push(Path::new("/usr/include").join(&target.multiarch));
    dirs.extend(
        [
            "/opt/homebrew/include",
            "/usr/pkg/include",
            "/usr/pkg/include/ev",
        ]
        .map(Into::into),
    );
    dirs
}

/// Folders that may hold the shared library: those of the environment first.
pub fn library_dirs(variable: &dyn Fn(&str) -> Option<OsString>, target: &Target) -> Vec<PathBuf> {
    let [_, libraries, root] = VARIABLES.map(variable);
    let mut dirs = listed(libraries);
    dirs.extend(root.map(|root| Path::new(&root).join("lib")));
    dirs.extend(loader_dirs(target));
    dirs.extend(
        [
            "/usr/local/lib64",
            "/usr/local/lib",
            "/opt/local/lib",
            "/opt/homebrew/lib",
        ]
        .map(Into::into),
    );
    dirs.extend(["/usr/pkg/lib", "/usr/pkg/lib/ev"].map(Into::into));
    dirs
}

/// Folders that every dynamic loader looks in unasked; a library elsewhere needs an rpath.
pub fn loader_dirs(target: &Target) -> Vec<PathBuf> {
    let mut dirs = Vec::new();
    for root in ["/usr/lib", "/lib"] {
        dirs.push(Path::new(root).join(&target.multiarch));
        // Before the plain one, which holds the 32-bit libraries where both are installed.
        dirs.push(format!("{root}64").into());
        dirs.push(root.into());
    }
    dirs
}

/// The name the linker asks for under `-lev`. Not the static library: distributions build that
/// one without position-independent code, which an extension module cannot use.
pub fn library_name(target: &Target) -> &'static str {
    if target.apple {
        "libev.dylib"
    } else {
        "libev.so"
    }
}

/// The first of `dirs` that holds a file called `name`.
pub fn first_holding(name: &str, dirs: &[PathBuf]) -> Option<PathBuf> {
    dirs.iter().find(|dir| dir.join(name).is_file()).cloned()
}

fn listed(value: Option<OsString>) -> Vec<PathBuf> {
    let value = value.unwrap_or_default();
    // An empty entry means "here" to compilers; a stray colon must not make us search there.
    std::env::split_paths(&value)
        .filter(|dir| !dir.as_os_str().is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn linux() -> Target {
        Target {
            multiarch: "x86_64-linux-gnu".into(),
            apple: false,
        }
    }

    fn none(_: &str) -> Option<OsString> {
        None
    }

    #[test]
    fn the_environment_comes_first_and_in_its_own_order() {
        let variable = |name: &str| match name {
            "C_INCLUDE_PATH" => Some("/a:/b".into()),
            "LD_LIBRARY_PATH" => Some("/c::/d".into()),
            "LIBPATH" => Some("/e".into()),
            _ => None,
        };
        let includes = include_dirs(&variable, &linux());
        assert_eq!(includes[..3], ["/a", "/b", "/e/include"].map(PathBuf::from));
        let libraries = library_dirs(&variable, &linux());
        assert_eq!(libraries[..3], ["/c", "/d", "/e/lib"].map(PathBuf::from));
    }

    #[test]
    fn the_usual_places_follow() {
        let includes = include_dirs(&none, &linux());
        assert_eq!(includes[0], PathBuf::from("/usr/include"));
        for place in [
            "/usr/include/libev",
            "/opt/homebrew/include",
            "/usr/pkg/include/ev",
        ] {
            assert!(includes.contains(&place.into()), "{place}");
        }
        let libraries = library_dirs(&none, &linux());
        for place in [
            "/usr/lib/x86_64-linux-gnu",
            "/usr/lib64",
            "/usr/local/lib",
            "/usr/pkg/lib",
        ] {
            assert!(libraries.contains(&place.into()), "{place}");
        }
    }

    #[test]
    fn debian_folder_names_follow_the_target() {
        let arm = |name: &str| match name {
            "CARGO_CFG_TARGET_ARCH" => Some("arm".into()),
            "CARGO_CFG_TARGET_ENV" => Some("gnu".into()),
            "CARGO_CFG_TARGET_ABI" => Some("eabihf".into()),
            _ => None,
        };
        assert_eq!(Target::from_cargo(&arm).multiarch, "arm-linux-gnueabihf");
        let power = |name: &str| match name {
            "CARGO_CFG_TARGET_ARCH" => Some("powerpc64".into()),
            "CARGO_CFG_TARGET_ENDIAN" => Some("little".into()),
            "CARGO_CFG_TARGET_ENV" => Some("gnu".into()),
            _ => None,
        };
        assert_eq!(
            Target::from_cargo(&power).multiarch,
            "powerpc64le-linux-gnu"
        );
    }

    #[test]
    fn the_first_folder_that_holds_the_file_wins_and_none_is_walked() {
        let root = std::env::temp_dir().join(format!("fapws-locate-{}", std::process::id()));
        let (empty, outer, other) = (root.join("empty"), root.join("outer"), root.join("other"));
        fs::create_dir_all(&empty).unwrap();
        fs::create_dir_all(outer.join("below")).unwrap();
        fs::create_dir_all(&other).unwrap();
        fs::write(outer.join("below/ev.h"), "").unwrap();
        let dirs = [empty, outer.clone(), other.clone()];
        assert_eq!(first_holding("ev.h", &dirs), None);
        fs::write(other.join("ev.h"), "").unwrap();
        assert_eq!(first_holding("ev.h", &dirs), Some(other));
        fs::write(outer.join("ev.h"), "").unwrap();
        assert_eq!(first_holding("ev.h", &dirs), Some(outer));
        fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn only_a_shared_library_will_do() {
        assert_eq!(library_name(&linux()), "libev.so");
        let apple = Target {
            multiarch: String::new(),
            apple: true,
        };
        assert_eq!(library_name(&apple), "libev.dylib");
    }
}
