//! Sharpness.

use losscape_lab::Analysis;
use losscape_lab::measure::sharpness::{Neighbourhood, SHARPNESS};

use super::{NOT_FINITE, Page, Section, head, maybe, row, with_error};
use crate::number;
use crate::table::Table;

pub(super) const PAGE: Page = Page { measure: "sharpness", section, figures: |_| Vec::new() };

fn section(analysis: &Analysis) -> Option<Section> {
    let sharpness = analysis.get(SHARPNESS)?;
    let mut rows = Vec::new();
    for worst in &sharpness.worst {
        let name = match worst.neighbourhood {
            Neighbourhood::Ball { radius } => format!("worst case, ‖e‖ ≤ {}", number(radius)),
            Neighbourhood::AdaptiveBall { radius } => format!("worst case, ‖e/w‖ ≤ {}", number(radius)),
            Neighbourhood::Box { size } => format!("Keskar's box {}: 100 (max L − L)/(1 + L)", number(size)),
        };
        let value = if matches!(worst.neighbourhood, Neighbourhood::Box { .. }) { worst.keskar } else { worst.rise };
        rows.push(row(&name, [value.map_or_else(|| NOT_FINITE.to_owned(), number)]));
    }
    for (name, average) in [("average", &sharpness.average), ("adaptive average", &sharpness.adaptive_average)] {
        let name = format!("{name}, σ = {}", number(average.sigma));
        let rise = average.rise.map_or_else(|| NOT_FINITE.to_owned(), |rise| with_error(rise.mean, rise.sem));
        rows.push(row(&name, [rise]));
    }
    let rise = number(sharpness.rise);
    for (name, sigma, sem) in [
        ("σ", sharpness.pac_bayes_sigma, sharpness.pac_bayes_sigma_sem),
        ("adaptive σ", sharpness.adaptive_pac_bayes_sigma, sharpness.adaptive_pac_bayes_sigma_sem),
    ] {
        let value = sigma.map_or_else(|| maybe(None), |sigma| with_error(sigma, sem));
        rows.push(row(&format!("{name} for a rise of {rise}"), [value]));
    }
    Some(Section {
        title: "Sharpness",
        reading: "How much the loss can rise nearby; the adaptive measures do not change when weights are rescaled \
                  without changing the function.",
        table: Table { head: head(["", "rise of the loss"]), rows },
    })
}
