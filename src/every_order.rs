//! Walks a model through every order of its steps; for the models of what threads do beside one another.

#![forbid(unsafe_code)]

use std::collections::HashSet;
use std::hash::Hash;

/// The first fault in any order of steps, with its world, and how many worlds there are.
///
/// `steps` has the worlds after one step of anybody; `fault` says what is wrong with a world, and is
/// given whether nobody can take a step.
pub fn walk<World: Clone + Eq + Hash>(
    first: Vec<World>,
    steps: impl Fn(&World) -> Vec<World>,
    fault: impl Fn(&World, bool) -> Option<&'static str>,
) -> (Option<(&'static str, World)>, usize) {
    let mut seen = HashSet::new();
    let mut open = first;
    while let Some(world) = open.pop() {
        if !seen.insert(world.clone()) {
            continue;
        }
        let mut next = steps(&world);
        if let Some(fault) = fault(&world, next.is_empty()) {
            return (Some((fault, world)), seen.len());
        }
        open.append(&mut next);
    }
    (None, seen.len())
}
