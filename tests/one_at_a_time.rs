//! Tests run one at a time (build.rs says why), in every test program of the crate.

#[test]
fn cargo_passes_it_on() {
    assert_eq!(std::env::var("RUST_TEST_THREADS").as_deref(), Ok("1"));
}
