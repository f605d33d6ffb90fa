//! Finds libev, compiles the shim over its macros, and tells cargo how to link both.
//!
//! Python is neither looked for nor linked: an extension module gets the interpreter's symbols
//! from the process that imports it.

#[path = "src/ev/locate.rs"]
mod locate;

use std::env;
use std::process::exit;

const SHIM: &str = "src/ev/shim.c";

fn main() {
    // Whether there is an interpreter: without one only what needs none is compiled.
    println!("cargo::rustc-check-cfg=cfg(interpreter)");
    if cfg!(any(feature = "python2", feature = "python3")) {
        println!("cargo::rustc-cfg=interpreter");
    }
    for file in ["build.rs", "src/ev/locate.rs", SHIM] {
        println!("cargo::rerun-if-changed={file}");
    }
    for variable in locate::VARIABLES {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    tell_python_version();
    link_libev();
    leave_python_to_the_interpreter();
    run_tests_one_at_a_time();
}

/// Has `cfg(Py_3_13)` and its like say whether the interpreter that pyo3-ffi was configured for has what
/// came with that version.
fn tell_python_version() {
    for version in ["Py_3_10", "Py_3_11", "Py_3_12", "Py_3_13", "Py_3_14"] {
        println!("cargo::rustc-check-cfg=cfg({version})");
    }
    #[cfg(feature = "python3")]
    pyo3_build_config::use_pyo3_cfgs();
}

fn link_libev() {
    let variable = |name: &str| env::var_os(name);
    let target = locate::Target::from_cargo(&variable);
    let library = locate::library_name(&target);
    let found = (
        locate::first_holding("ev.h", &locate::include_dirs(&variable, &target)),
        locate::first_holding(library, &locate::library_dirs(&variable, &target)),
    );
    let (header_dir, library_dir) = match found {
        (Some(header_dir), Some(library_dir)) => (header_dir, library_dir),
        (None, _) => missing("its header ev.h"),
        (_, None) => missing(&format!("its shared library {library}")),
    };

    let mut shim = cc::Build::new();
    shim.file(SHIM).std("c11").include(header_dir);
    shim.warnings(false); // -Wall dislikes ev.h's own macros, outside the system's folders
    shim.compile("fapws_ev_shim");
    println!("cargo::rustc-link-search=native={}", library_dir.display());
    println!("cargo::rustc-link-lib=dylib=ev");
    if !locate::loader_dirs(&target).contains(&library_dir) {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{}", library_dir.display());
    }
}

fn missing(part: &str) -> ! {
    println!(
        "cargo::error=libev is needed, and {part} was not found. Install libev-dev (Debian, \
         Ubuntu), libev-devel (Fedora), libev (Arch), libev (FreeBSD) or, with brew, libev \
         (macOS); or name its place in LIBPATH (with include/ and lib/ below it) or in \
         C_INCLUDE_PATH and LD_LIBRARY_PATH."
    );
    exit(0) // cargo fails the build for the line above, without a trace of this script
}

/// ELF linkers let a shared object's symbols be found later; Apple's wants to be told.
fn leave_python_to_the_interpreter() {
    let python = ["PYTHON2", "PYTHON3"].map(|name| env::var_os(format!("CARGO_FEATURE_{name}")));
    let apple = env::var_os("CARGO_CFG_TARGET_VENDOR").is_some_and(|vendor| vendor == "apple");
    if apple && python.iter().any(Option::is_some) {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-undefined,dynamic_lookup");
    }
}

/// Some tests fork or start processes. Until such a child ends or execs, it holds the descriptors that
/// other tests close to see what closing does. (`cargo nextest`, with a process for each test, is as
/// good.) It stands here and not in `.cargo/config.toml` because that file belongs to packagers:
/// `cargo vendor` has them write it.
fn run_tests_one_at_a_time() {
    println!("cargo::rustc-env=RUST_TEST_THREADS=1");
}
