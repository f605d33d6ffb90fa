//! Holds `include/evwsgi.h` against the functions it declares.
//!
//! The header is generated from `src/capi.rs` by cbindgen, as `cbindgen.toml` says, and committed, so
//! that a C program needs no Rust to read it. This test fails when it is stale. With
//! FAPWS_WRITE_HEADER=1 it writes the header instead: that is `make header`.

use std::path::Path;

#[test]
fn the_committed_header_is_what_the_source_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let committed = root.join("include/evwsgi.h");
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).expect("cbindgen.toml");
    let mut generated = Vec::new();
    cbindgen::Builder::new()
        .with_config(config)
        .with_src(root.join("src/capi.rs"))
        .generate()
        .expect("src/capi.rs")
        .write(&mut generated);
    if std::env::var_os("FAPWS_WRITE_HEADER").is_some_and(|value| value == "1") {
        std::fs::write(&committed, &generated).expect("include/evwsgi.h can be written");
    }
    let found = std::fs::read(&committed).unwrap_or_default();
    assert!(
        found == generated,
        "include/evwsgi.h is stale: run `make header`"
    );
}
