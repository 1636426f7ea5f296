//! Both ends of the Hessian's diagonal block of every parameter: where the sharpness sits.

use losscape_analysis::spectrum::SpectrumSettings;
use losscape_krylov::{Eigenvalue, Restricted};
use serde::{Deserialize, Serialize};

use super::bench::name_of;
use super::draw::Draw;
use super::kind::Measure;
use super::needs::Needs;
use crate::analysis::Section;

/// The ends of a diagonal block of the Hessian.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Block {
    /// The parameter's path in the module.
    pub name: String,
    /// Its number of entries, the dimension of the block.
    pub parameters: usize,
    /// λ_max of the block.
    pub top: Eigenvalue,
    /// λ_min of the block.
    pub bottom: Eigenvalue,
}

/// The blocks, in the order of the parameters.
pub const BLOCKS: Section<Vec<Block>> = Section::new("blocks");

/// See the [module](self).
pub const MEASURE: Measure = Measure {
    name: "blocks",
    words: "both ends of the Hessian's diagonal block of every parameter",
    needs: |_| Needs::HESSIAN,
    on_request: false,
    parts: &[BLOCKS.part(|bench, into| {
        let hessian = bench.point.hessian();
        let segments = bench.objective().segments().into_iter().enumerate();
        let blocks = segments.map(|(at, segment)| {
            let operator = Restricted { operator: &hessian, range: segment.range.clone() };
            let settings =
                SpectrumSettings { top: 1, bottom: 1, trace: 0, density: None, ..SpectrumSettings::default() };
            let name = format!("block {}", name_of(&segment));
            let spectrum = bench.spectrum(&name, &operator, &settings, (Draw::Blocks, at))?;
            let (top, bottom) = (spectrum.top[0], spectrum.bottom[0]);
            Ok(Block { name: name_of(&segment), parameters: segment.range.len(), top, bottom })
        });
        let blocks: Vec<Block> = blocks.collect::<Result<_, losscape_analysis::AnalysisError>>()?;
        into.put(BLOCKS, &blocks)
    })],
    // As many as the network has parameters: no columns of a table over networks.
    scalars: |_, _| {},
    tracking: None,
};
