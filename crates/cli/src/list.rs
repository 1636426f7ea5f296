//! `losscape list`: names from the registries.

use losscape_lab::config::Kind;
use losscape_lab::measure;
use losscape_model::data::Source;
use losscape_model::{Activation, Loss, ModelConfig};
use losscape_optim::{AverageConfig, RuleConfig, ScheduleConfig};

use crate::args::Names;
use crate::help;
use crate::terminal::say;

/// Prints names with what they are, one a line.
pub fn print(what: Names) {
    let measures: Vec<(&str, &str)> = measure::ALL.iter().map(|measure| (measure.name, measure.words)).collect();
    let flows: Vec<(&str, &str)> = Kind::ALL.iter().map(|kind| (kind.name(), kind.words())).collect();
    let rows = match what {
        Names::Optimizers => RuleConfig::ALL,
        Names::Schedules => ScheduleConfig::ALL,
        Names::Averages => AverageConfig::ALL,
        Names::Models => ModelConfig::ALL,
        Names::Losses => Loss::ALL,
        Names::Data => Source::ALL,
        Names::Activations => Activation::ALL,
        Names::Measures => &measures,
        Names::Flows => &flows,
        Names::Keys => return help::list(),
    };
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, words) in rows {
        say!("{name:width$}  {words}");
    }
}
