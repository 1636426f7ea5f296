//! Measuring, and keeping each section in a folder as soon as it is measured.
//!
//! `unfinished.json` says what was asked for while it is not all there. The next start of the same measurement does the
//! rest, and finds the same numbers, since each quantity has a random stream of its own.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use losscape_analysis::AnalysisError;
use serde::{Deserialize, Serialize};

use super::ALL;
use super::bench::{Bench, Progress, objective};
use super::kind::Measure;
use super::needs::Needs;
use super::settings::AnalysisSettings;
use crate::analysis::{Analysis, How};
use crate::config::Mode;
use crate::error::LabError;
use crate::folder::{RunFolder, read_json, write_json};
use crate::subject::Subject;

/// `unfinished.json`: a measurement that was begun.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Unfinished {
    /// SHA-256 of what is measured.
    subject_digest: String,
    /// What was asked for, with every setting.
    asked: String,
    /// Sections that are done.
    done: Vec<String>,
}

/// Where sections go as they are measured.
struct Keeper<'a> {
    folder: &'a RunFolder,
    mode: Mode,
    asked: String,
    /// Why nothing can be kept any more.
    failed: Option<LabError>,
}

impl Keeper<'_> {
    fn path(&self) -> PathBuf {
        self.folder.analysis_in(self.mode).join("unfinished.json")
    }

    /// What an earlier start of the same measurement has measured already.
    fn known(&self, subject_digest: &str) -> Option<Analysis> {
        let begun: Unfinished = read_json(&self.path()).ok()?;
        if begun.subject_digest != subject_digest || begun.asked != self.asked {
            // It must not vouch for sections that are written now.
            let _ = std::fs::remove_file(self.path());
            return None;
        }
        let mut known = Analysis::read_in(self.folder, self.mode).ok().flatten()?;
        known.retain(|section| begun.done.iter().any(|done| done == section));
        Some(known)
    }

    /// Writes what is measured so far.
    fn keep(&mut self, analysis: &Analysis) {
        if self.failed.is_some() {
            return;
        }
        let begun = Unfinished {
            subject_digest: analysis.subject_digest.clone(),
            asked: self.asked.clone(),
            done: analysis.sections(),
        };
        self.failed = analysis.write(self.folder).and_then(|()| write_json(&self.path(), &begun)).err();
    }

    /// Everything asked for is measured.
    fn end(&mut self) {
        if self.failed.is_none() {
            self.failed = std::fs::remove_file(self.path()).map_err(LabError::io("remove", self.path())).err();
        }
    }
}

impl Analysis {
    /// Makes these measures of a subject, or [all](super::ALL).
    ///
    /// # Errors
    ///
    /// When loss or gradient are not finite, more eigenvalues are asked for than there are, or something does not fit
    /// into the memory allowed: that is known before anything is measured.
    pub fn measure(
        subject: &Subject,
        measures: &[&'static Measure],
        settings: &AnalysisSettings,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Self, LabError> {
        Ok(rayon::scope(|_| measure(subject, measures, settings, progress, None, &mut |_| {}))?)
    }

    /// Measures a subject and writes each section into a folder when it is done. Sections that an earlier start of the
    /// same measurement finished are taken from there. Where the folder cannot be written, the second value says
    /// why, and nothing measured is lost.
    ///
    /// # Errors
    ///
    /// As [`measure`](Self::measure).
    pub fn measure_in(
        folder: &RunFolder,
        subject: &Subject,
        measures: &[&'static Measure],
        settings: &AnalysisSettings,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<(Self, Option<LabError>), LabError> {
        let keeper = Mutex::new(Keeper { folder, mode: subject.mode, asked: asked(measures, settings), failed: None });
        let held = || keeper.lock().unwrap_or_else(PoisonError::into_inner);
        let known = held().known(&subject.digest());
        let measured = rayon::scope(|_| {
            measure(subject, measures, settings, progress, known, &mut |analysis| held().keep(analysis))
        })?;
        let mut keeper = held();
        keeper.end();
        Ok((measured, keeper.failed.take()))
    }
}

/// What a measurement was asked for, with every setting.
fn asked(measures: &[&Measure], settings: &AnalysisSettings) -> String {
    let names: Vec<&str> = measures.iter().map(|measure| measure.name).collect();
    format!("{names:?} {settings:?}")
}

/// Measures what `known` has not, and hands the analysis to `keep` after each section.
fn measure(
    subject: &Subject,
    measures: &[&'static Measure],
    settings: &AnalysisSettings,
    progress: &(dyn Fn(Progress) + Sync),
    known: Option<Analysis>,
    keep: &mut (dyn FnMut(&Analysis) + Send),
) -> Result<Analysis, AnalysisError> {
    let objective = objective(&subject.network, subject, settings)?;
    let chosen: Vec<&Measure> = ALL.iter().copied().filter(|measure| measures.contains(measure)).collect();
    let needs = chosen.iter().fold(Needs::NOTHING, |needs, measure| needs.and((measure.needs)(subject.loss)));
    let bench = Bench::new(subject, &objective, settings, needs, progress)?;
    let mut analysis = known.unwrap_or_else(|| Analysis::of_point(subject, &bench.point));
    let how = How { precision: settings.precision, seed: settings.seed };
    for part in chosen.iter().flat_map(|measure| measure.parts) {
        if analysis.has(part.section) {
            continue;
        }
        (part.run)(&bench, &mut analysis)?;
        analysis.measured = analysis.sections().into_iter().map(|section| (section, how)).collect();
        keep(&analysis);
    }
    Ok(analysis)
}
