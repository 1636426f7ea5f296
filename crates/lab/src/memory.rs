//! How much memory a training takes, before it is taken.

/// Bytes that a training takes, by what takes them. An estimate, right to a factor of about one and a half.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrainingMemory {
    /// Parameters P of the network.
    pub count: usize,
    /// Weights, gradient and the optimizer's state: a vector of P numbers each; and the widest layer while it is
    /// drawn, in f64.
    pub parameters: usize,
    /// Inputs and targets, as they were read and on the device.
    pub data: usize,
    /// Activations of a batch, or of what is evaluated at once.
    pub activations: usize,
    /// Flows beside it, with the values of all samples that they differentiate; 0 without.
    pub flows: usize,
}

/// The most samples that are evaluated at once: enough to keep matrix products efficient.
pub(crate) const EVALUATED_AT_ONCE: usize = 2048;

/// Units of all samples evaluated at once, of networks whose layers are not rows: their activations stay below some
/// gigabytes.
const UNITS_AT_ONCE: usize = 1 << 26;

/// Samples evaluated at once of a network that takes rows, or of one with so many units.
pub(crate) fn evaluated_at_once(flat: bool, units: usize) -> usize {
    if flat { EVALUATED_AT_ONCE } else { (UNITS_AT_ONCE / units.max(1)).clamp(1, EVALUATED_AT_ONCE) }
}

/// The program itself.
const PROGRAM: usize = 30_000_000;

impl TrainingMemory {
    /// All of it, with what the program itself takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        [self.parameters, self.data, self.activations, self.flows].into_iter().fold(PROGRAM, usize::saturating_add)
    }
}

impl std::fmt::Display for TrainingMemory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { count, parameters, data, activations, flows } = *self;
        write!(
            f,
            "{} for {count} parameters with gradient and the optimizer's state, {} for the data, {} for the \
             activations of a batch",
            amount(parameters),
            amount(data),
            amount(activations)
        )?;
        if flows == 0 { Ok(()) } else { write!(f, ", {} for the flows beside it", amount(flows)) }
    }
}

/// Bytes that are free, by what Linux says of the machine and of the control group; `None` elsewhere.
#[must_use]
pub fn available() -> Option<usize> {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let number = |text: &str| text.trim().parse::<usize>().ok();
    let meminfo = read("/proc/meminfo")?;
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let machine = 1024 * number(line.trim().strip_suffix("kB")?)?;
    let group = "/sys/fs/cgroup/memory";
    let limit = read(&format!("{group}.max")).and_then(|text| number(&text));
    let used = read(&format!("{group}.current")).and_then(|text| number(&text));
    let group = limit.zip(used).map(|(limit, used)| limit.saturating_sub(used));
    Some(group.map_or(machine, |group| group.min(machine)))
}

/// Bytes in words.
pub(crate) fn amount(bytes: usize) -> String {
    match bytes as f64 {
        some if some < 1e8 => format!("{:.1} MB", some / 1e6),
        many => format!("{:.2} GB", many / 1e9),
    }
}
