//! Flows beside the method that they model.
//!
//! A method at the edge jumps from one side of its path to the other, so its parameters are compared in the middle, at
//! `(w_{t−1} + 2 w_t + w_{t+1})/4`, its loss as `(L_{t−1} + 2 L_t + L_{t+1})/4`, and its oscillation is
//! `(w_{t−1} − 2 w_t + w_{t+1})/4`: all three are blind to what the others see (Cohen et al. 2025 measure there, too).
//! Losses and oscillations are means over the steps since the look before.

use std::collections::BTreeMap;

use burn::tensor::Tensor;
use losscape_analysis::hessian::preconditioned;
use losscape_analysis::{AnalysisError, Objective};
use losscape_krylov::{Eigensolver, SymmetricOperator, norm};
use losscape_model::Network;
use losscape_model::random::{Purpose, stream};
use losscape_optim::OptimizerConfig;
use losscape_optim::edge::edge;

use crate::error::FlowError;
use crate::flow::Flow;
use crate::kind::Kind;
use crate::state::State;
use crate::update::{Start, Update};

/// What to compare, and how often.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The flows.
    pub flows: Vec<Kind>,
    /// Steps from look to look, at least 1.
    pub every: usize,
    /// The largest eigenvalues that are looked at, at least 1.
    pub top: usize,
    /// Seed of what is drawn.
    pub seed: u64,
}

impl Settings {
    /// Bytes that a comparison takes over so many parameters, each of so many bytes, about; the values of the samples
    /// on top.
    #[must_use]
    pub fn memory(&self, parameters: usize, bytes: usize) -> usize {
        let kept: usize = self.flows.iter().map(|flow| flow.vectors() + self.top).sum();
        solver(self.top).memory(parameters, bytes).saturating_add(kept.saturating_mul(parameters).saturating_mul(bytes))
    }
}

/// What was seen at a step of the method.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// The step.
    pub step: usize,
    /// Quantities by name.
    ///
    /// | name | is |
    /// |---|---|
    /// | `averaged_loss` | the method's loss, averaged |
    /// | `sharpness`, `sharpness_2`, … | largest eigenvalues at the method's middle, with its preconditioner |
    /// | `oscillation` | `‖x‖²` of its oscillation x; not at step 0 |
    /// | `edge` | the sharpness above which its steps grow |
    /// | `<flow>_loss` | the averaged loss that the flow predicts |
    /// | `<flow>_sharpness`, `<flow>_sharpness_2`, … | largest eigenvalues on the flow's path, with its preconditioner |
    /// | `<flow>_oscillation` | the `‖x‖²` that it predicts |
    /// | `<flow>_distance` | from the flow's path to the method's middle |
    ///
    /// A flow that could not be followed any further has none of its own.
    pub quantities: BTreeMap<String, f64>,
}

/// Flows beside a method at work. Whoever runs the method [shows](Self::see) every step.
pub struct Comparison<N: Network> {
    objective: Objective<N>,
    config: OptimizerConfig,
    settings: Settings,
    flows: Vec<Running<N>>,
    /// Parameters and losses of the last steps, at most two, newest last.
    past: Vec<(Tensor<1>, f64)>,
    /// Of the method since the last look.
    sums: Sums,
    vectors: Option<Tensor<2>>,
}

/// Sums over the steps since the last look.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    steps: f64,
    loss: f64,
    /// Steps of which the oscillation is known: of the first it is not.
    known: f64,
    oscillation: f64,
}

impl Sums {
    fn add(&mut self, loss: f64, oscillation: Option<f64>) {
        self.steps += 1.0;
        self.loss += loss;
        self.known += f64::from(u8::from(oscillation.is_some()));
        self.oscillation += oscillation.unwrap_or(0.0);
    }

    /// The means of what is known.
    fn put(self, quantities: &mut BTreeMap<String, f64>, loss: &str, oscillation: &str) {
        quantities.insert(loss.to_owned(), self.loss / self.steps);
        if self.known > 0.0 {
            quantities.insert(oscillation.to_owned(), self.oscillation / self.known);
        }
    }

    fn numbers(self) -> [f64; 4] {
        [self.steps, self.loss, self.known, self.oscillation]
    }
}

impl From<[f64; 4]> for Sums {
    fn from([steps, loss, known, oscillation]: [f64; 4]) -> Self {
        Self { steps, loss, known, oscillation }
    }
}

struct Running<N: Network> {
    kind: Kind,
    flow: Box<dyn Flow<N>>,
    sums: Sums,
    vectors: Option<Tensor<2>>,
    ended: Option<(usize, String)>,
}

impl<N: Network> std::fmt::Debug for Comparison<N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Comparison")
            .field("config", &self.config)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl<N: Network> Comparison<N> {
    /// The flows of a configured method, all from `w`.
    ///
    /// # Errors
    ///
    /// When a flow does not model the method, or cannot begin at `w`.
    pub fn begin(
        objective: Objective<N>,
        config: &OptimizerConfig,
        settings: Settings,
        w: &Tensor<1>,
    ) -> Result<Self, FlowError> {
        let mut waiting = Self::waiting(objective, config, settings)?;
        waiting.start(&Start { w: w.clone(), nu: None })?;
        Ok(waiting)
    }

    /// The flows of a configured method, which begin where they [join](Self::join) it.
    ///
    /// # Errors
    ///
    /// When a setting is out of its range, or no flow models the method.
    pub fn waiting(objective: Objective<N>, config: &OptimizerConfig, settings: Settings) -> Result<Self, FlowError> {
        for (name, value) in [("every", settings.every), ("top", settings.top)] {
            if value == 0 {
                return Err(AnalysisError::Setting { name, value: 0.0, must: "at least 1" }.into());
            }
        }
        if settings.top > objective.parameters().dims()[0] {
            let (value, must) = (settings.top as f64, "no more than there are parameters");
            return Err(AnalysisError::Setting { name: "top", value, must }.into());
        }
        Update::of(config)?;
        let (config, flows, past) = (config.clone(), Vec::new(), Vec::new());
        Ok(Self { objective, config, settings, flows, past, sums: Sums::default(), vectors: None })
    }

    fn start(&mut self, start: &Start) -> Result<(), FlowError> {
        let update = Update::of(&self.config)?;
        let running = |&kind: &Kind| {
            let flow = kind.join(&update, &self.objective, start, self.settings.seed)?;
            Ok(Running { kind, flow, sums: Sums::default(), vectors: None, ended: None })
        };
        self.flows = self.settings.flows.iter().map(running).collect::<Result<_, FlowError>>()?;
        (self.past, self.sums, self.vectors) = (Vec::new(), Sums::default(), None);
        Ok(())
    }

    /// Begins again where a method without momentum has come to, its last step divided by this preconditioner, if it
    /// has one. What was seen before is forgotten.
    ///
    /// # Errors
    ///
    /// [`FlowError::Joined`] for a method with momentum; when a flow cannot begin there.
    pub fn join(&mut self, w: &Tensor<1>, preconditioner: Option<&Tensor<1>>) -> Result<(), FlowError> {
        let update = Update::of(&self.config)?;
        if !update.can_be_joined() {
            return Err(FlowError::Joined);
        }
        self.start(&Start { w: w.clone(), nu: preconditioner.and_then(|diagonal| update.nu(diagonal)) })
    }

    /// The flows.
    pub fn flows(&self) -> impl Iterator<Item = Kind> {
        self.settings.flows.iter().copied()
    }

    /// Flows that ended before the method: at which step, and why.
    pub fn ended(&self) -> impl Iterator<Item = (Kind, usize, &str)> {
        self.flows.iter().filter_map(|running| {
            let (step, why) = running.ended.as_ref()?;
            Some((running.kind, *step, why.as_str()))
        })
    }

    /// The method is at `w` after so many steps, its last one divided by this preconditioner, if it has one, which is
    /// asked for where it is looked at; to be shown every step, from that on where the flows begin. What was seen at
    /// the step before, where it was one to look at.
    ///
    /// # Errors
    ///
    /// When the loss is not finite at `w`, or an eigenvalue cannot be found there.
    pub fn see(
        &mut self,
        step: usize,
        w: &Tensor<1>,
        preconditioner: impl FnOnce() -> Option<Tensor<1>>,
    ) -> Result<Option<Look>, FlowError> {
        let loss = self.objective.value(w)?;
        if !loss.is_finite() {
            return Err(FlowError::NotFinite);
        }
        let seen = match self.past.as_slice() {
            [] => None,
            [(now, at)] => Some((now.clone(), *at, None)),
            [(before, was), (now, at), ..] => {
                let middle = (before.clone() + now.clone() * 2.0 + w.clone()) * 0.25;
                let oscillation = norm(&((before.clone() - now.clone() * 2.0 + w.clone()) * 0.25)).powi(2);
                Some((middle, 0.25 * (was + 2.0 * at + loss), Some(oscillation)))
            }
        };
        self.past.push((w.clone(), loss));
        if self.past.len() > 2 {
            self.past.remove(0);
        }
        let Some((middle, averaged, oscillation)) = seen else { return Ok(None) };
        let at = step - 1;
        self.sums.add(averaged, oscillation);
        let due = at.is_multiple_of(self.settings.every);
        let mut quantities = BTreeMap::new();
        if due {
            let random = (self.settings.seed, at as u64);
            let solver = (&self.objective, self.settings.top, random);
            let sharpest = sharpness(solver, &middle, preconditioner().as_ref(), &mut self.vectors)?;
            put(&mut quantities, "", &sharpest);
            // SAM alone has an edge that depends on the gradient, and no flow models it.
            if let Some(edge) = edge(&self.config, self.config.learning_rate, 0.0) {
                quantities.insert("edge".to_owned(), edge.value);
            }
            self.sums.put(&mut quantities, "averaged_loss", "oscillation");
            self.sums = Sums::default();
        }
        for running in self.flows.iter_mut().filter(|running| running.ended.is_none()) {
            let mut go_on = || -> Result<(), FlowError> {
                if due {
                    let random = (self.settings.seed, at as u64);
                    let solver = (&self.objective, self.settings.top, random);
                    let path = running.flow.parameters().clone();
                    let diagonal = running.flow.preconditioner();
                    let sharpest = sharpness(solver, &path, diagonal.as_ref(), &mut running.vectors)?;
                    put(&mut quantities, &format!("{}_", running.kind), &sharpest);
                    quantities.insert(format!("{}_distance", running.kind), norm(&(path - middle.clone())));
                }
                let predicted = running.flow.advance(&self.objective)?;
                running.sums.add(predicted.loss, oscillation.map(|_| predicted.oscillation));
                if due {
                    let [loss, oscillation] = ["loss", "oscillation"].map(|what| format!("{}_{what}", running.kind));
                    running.sums.put(&mut quantities, &loss, &oscillation);
                    running.sums = Sums::default();
                }
                Ok(())
            };
            if let Err(error) = go_on() {
                let own = format!("{}_", running.kind);
                quantities.retain(|name, _| !name.starts_with(&own));
                running.ended = Some((at, error.to_string()));
            }
        }
        Ok(due.then_some(Look { step: at, quantities }))
    }

    /// Everything that it goes on from.
    #[must_use]
    pub fn state(&self) -> State {
        let mut state = State::default();
        state.put_scalars("sums", self.sums.numbers());
        state.put_scalars("losses", self.past.iter().map(|(_, loss)| *loss));
        for (at, (w, _)) in self.past.iter().enumerate() {
            state.put(&format!("w_{at}"), w);
        }
        if let Some(vectors) = &self.vectors {
            state.put_rows("vectors", vectors);
        }
        for running in &self.flows {
            let name = |what: &str| format!("{}/{what}", running.kind);
            state.put_scalars(&name("sums"), running.sums.numbers());
            if let Some(vectors) = &running.vectors {
                state.put_rows(&name("looked"), vectors);
            }
            match &running.ended {
                // The words, too, as numbers.
                Some((step, why)) => {
                    state.put_scalars(&name("ended"), std::iter::once(*step as f64).chain(why.bytes().map(f64::from)));
                }
                None => state.0.extend(running.flow.state().0.into_iter().map(|(of, values)| (name(&of), values))),
            }
        }
        state
    }

    /// Goes on from where another was, which had begun if this one has; false where the state is none of such a
    /// comparison.
    #[must_use]
    pub fn restore(&mut self, state: &State) -> bool {
        let like = &self.objective.parameters();
        let mut restore = || -> Option<()> {
            self.sums = state.take_scalars("sums")?.into();
            let losses = state.0.get("losses")?.clone();
            let past = losses.into_iter().enumerate();
            self.past =
                past.map(|(at, loss)| Some((state.take(&format!("w_{at}"), like)?, loss))).collect::<Option<_>>()?;
            self.vectors = state.take_rows("vectors", like);
            for running in &mut self.flows {
                let prefix = format!("{}/", running.kind);
                let own = state.0.iter().filter_map(|(name, values)| Some((name.strip_prefix(&prefix)?, values)));
                let own = State(own.map(|(name, values)| (name.to_owned(), values.clone())).collect());
                running.sums = own.take_scalars("sums")?.into();
                // A flow may have vectors of its own name.
                running.vectors = own.take_rows("looked", like);
                match own.0.get("ended").map(Vec::as_slice) {
                    Some([step, why @ ..]) => {
                        let why = why.iter().map(|&byte| byte as u8).collect();
                        running.ended = Some((*step as usize, String::from_utf8(why).ok()?));
                    }
                    Some([]) => return None,
                    None => running.flow.restore(&own).then_some(())?,
                }
            }
            Some(())
        };
        restore().is_some()
    }
}

fn put(quantities: &mut BTreeMap<String, f64>, prefix: &str, sharpest: &[f64]) {
    for (at, value) in sharpest.iter().enumerate() {
        let number = if at > 0 { format!("_{}", at + 1) } else { String::new() };
        quantities.insert(format!("{prefix}sharpness{number}"), *value);
    }
}

/// The first index of the streams of the looks' probes.
const LOOKS: u64 = 4 << 40;

/// How the looks search.
fn solver(top: usize) -> Eigensolver {
    Eigensolver { probes: 12, ..Eigensolver::top(top) }.with_tolerance(1e-3)
}

/// The largest eigenvalues of `P^{−½} H P^{−½}` at `w`; their vectors are where the next search begins.
fn sharpness<N: Network>(
    (objective, top, (seed, step)): (&Objective<N>, usize, (u64, u64)),
    w: &Tensor<1>,
    preconditioner: Option<&Tensor<1>>,
    vectors: &mut Option<Tensor<2>>,
) -> Result<Vec<f64>, FlowError> {
    let point = objective.at(w)?;
    let solver = solver(top);
    let random = &mut stream(seed, Purpose::Probes, LOOKS + step);
    let solve = |operator: &dyn SymmetricOperator, random: &mut _| solver.solve(operator, vectors.as_ref(), random);
    let found = match preconditioner {
        Some(diagonal) => solve(&preconditioned(point.hessian(), diagonal.clone(), None), random)?,
        None => solve(&point.hessian(), random)?,
    };
    let values = found.top.iter().map(|pair| pair.value).collect();
    *vectors = Some(found.vectors);
    Ok(values)
}
