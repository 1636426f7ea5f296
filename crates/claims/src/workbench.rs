//! Where a claim is measured: its settings, and notes of what was prepared.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::sync::{Mutex, PoisonError};

use crate::settings::ClaimSettings;

/// The settings of a claim, with makers of data, networks and functions, each of which notes what it
/// prepares: where inputs come from and how they are scaled and split, how parameters start, which loss, in which
/// precision. A number of a claim stands beside these notes, since they move it: the same network at the same rate,
/// batch and loss has another λ_max(H) on inputs of another scale.
#[derive(Debug)]
pub struct Workbench {
    settings: ClaimSettings,
    /// What was prepared, each with the sizes it was prepared in.
    prepared: Mutex<BTreeMap<String, BTreeSet<Vec<usize>>>>,
}

impl Deref for Workbench {
    type Target = ClaimSettings;

    fn deref(&self) -> &ClaimSettings {
        &self.settings
    }
}

impl Workbench {
    /// With nothing prepared yet.
    #[must_use]
    pub fn new(settings: &ClaimSettings) -> Self {
        Self { settings: settings.clone(), prepared: Mutex::default() }
    }

    /// Notes what was prepared, and in which size; again and again the same is noted once.
    pub(super) fn note(&self, what: impl Into<String>, size: impl Into<Vec<usize>>) {
        self.prepared
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(what.into())
            .or_default()
            .insert(size.into());
    }

    /// The notes, in an order that does not depend on threads.
    #[must_use]
    pub fn preparation(&self) -> Vec<String> {
        let prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        let line = |(what, sizes): (&String, &BTreeSet<Vec<usize>>)| {
            let size = |size: &Vec<usize>| size.iter().map(usize::to_string).collect::<Vec<_>>().join("-");
            let sizes: Vec<String> = sizes.iter().filter(|size| !size.is_empty()).map(size).collect();
            if sizes.is_empty() { what.clone() } else { format!("{what}: {}", sizes.join(", ")) }
        };
        prepared.iter().map(line).collect()
    }
}
