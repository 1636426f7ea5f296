//! [`Names`]: names of a program become places.

use std::collections::{BTreeSet, HashMap};

use crate::error::ExchangeError;

/// Names become places.
#[derive(Default)]
pub struct Names {
    pub(super) places: HashMap<String, usize>,
    /// Names whose memory was written over under another name.
    stale: BTreeSet<String>,
    /// For each place, the one whose memory it may show.
    pub(super) roots: Vec<usize>,
    /// The names of each root's memory.
    names: HashMap<usize, Vec<String>>,
    /// For each place, whether a parameter is in it.
    pub(super) trained: Vec<bool>,
    /// Places of which the numbers are places by their making.
    pub(super) ranks: BTreeSet<usize>,
    /// How many nodes read each root's memory.
    pub(super) readers: HashMap<usize, usize>,
}

impl Names {
    pub fn make(&mut self, name: &str) -> Result<usize, ExchangeError> {
        let place = self.roots.len();
        self.make_in(name, place, false)
    }

    /// A place for a name whose memory is that of the place `root`, and in which a parameter is or not.
    pub fn make_in(&mut self, name: &str, root: usize, trained: bool) -> Result<usize, ExchangeError> {
        let place = self.roots.len();
        self.roots.push(root);
        self.trained.push(trained);
        self.names.entry(root).or_default().push(name.to_owned());
        if self.places.insert(name.to_owned(), place).is_some() {
            return Err(ExchangeError::Graph(format!("`{name}` is made twice")));
        }
        Ok(place)
    }

    pub fn find(&self, name: &str) -> Result<usize, String> {
        if self.stale.contains(name) {
            return Err(format!(
                "`{name}` is read after its memory was written over under another name; write it without changing a \
                 part in place"
            ));
        }
        self.places.get(name).copied().ok_or_else(|| format!("`{name}` is read before it is made"))
    }

    /// Names of a memory that was written over: those of the place itself mean the result from now on, those of other
    /// views of it nothing.
    pub fn mark_stale(&mut self, place: usize, result: Option<usize>) {
        let root = self.roots[place];
        for name in self.names.remove(&root).unwrap_or_default() {
            let Some(known) = self.places.get_mut(&name) else { continue };
            match result {
                Some(result) if *known == place && root == place => {
                    *known = result;
                    self.names.entry(result).or_default().push(name);
                }
                _ if Some(*known) != result => {
                    self.stale.insert(name);
                }
                _ => {}
            }
        }
    }
}
