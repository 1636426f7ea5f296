//! Amounts of memory.

use losscape_lab::memory::TrainingMemory;
use losscape_lab::{LabError, Plan};

use crate::error::CliError;

/// A number of bytes: digits, perhaps with a fraction, and K, M, G or T for powers of 1000, Ki, Mi, Gi or Ti for powers
/// of 1024, a B behind it or not.
pub fn bytes(text: &str) -> Result<usize, CliError> {
    let digits = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim().to_ascii_uppercase();
    let unit = unit.strip_suffix('B').unwrap_or(&unit);
    let (prefix, base) = unit.strip_suffix('I').map_or((unit, 1000f64), |prefix| (prefix, 1024f64));
    let power = match prefix {
        "" if base == 1000.0 => Some(0),
        "K" => Some(1),
        "M" => Some(2),
        "G" => Some(3),
        "T" => Some(4),
        _ => None,
    };
    match (number.parse::<f64>(), power) {
        (Ok(number), Some(power)) => Ok((number * base.powi(power)) as usize),
        _ => Err(CliError::Message(format!("`{text}` is no amount of memory; write 500M, 1.5GB or 12GiB"))),
    }
}

/// Whether a training fits into the bytes that it may take, which are those that are free where nothing is said.
pub fn check(plan: &Plan, allowed: Option<usize>) -> Result<(), CliError> {
    let Some(allowed) = allowed.or_else(available) else { return Ok(()) };
    let needed = TrainingMemory::of(plan).map_err(LabError::from)?;
    if needed.bytes() <= allowed {
        return Ok(());
    }
    let TrainingMemory { count, parameters, data, activations } = needed;
    Err(CliError::Message(format!(
        "training needs about {} and {} are free: {} for {count} parameters with gradient and the optimizer's state, \
         {} for the data, {} for the activations of a batch; take fewer parameters, samples or samples a batch, or allow more with --memory",
        amount(needed.bytes()),
        amount(allowed),
        amount(parameters),
        amount(data),
        amount(activations)
    )))
}

/// Bytes in words.
fn amount(bytes: usize) -> String {
    match bytes as f64 {
        some if some < 1e8 => format!("{:.1} MB", some / 1e6),
        many => format!("{:.2} GB", many / 1e9),
    }
}

/// Bytes that are free, by what Linux says of the machine and of the control group; `None` elsewhere.
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

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn amounts_of_memory() {
        for (text, expected) in [
            ("12", 12),
            ("12B", 12),
            ("500M", 500_000_000),
            ("500MB", 500_000_000),
            ("4G", 4_000_000_000),
            ("4g", 4_000_000_000),
            ("4Gi", 4 << 30),
            ("4 GiB", 4 << 30),
            ("1.5K", 1500),
            (".5KiB", 512),
            ("2T", 2_000_000_000_000),
        ] {
            assert_eq!(bytes(text).ok(), Some(expected), "{text}");
        }
        for text in ["", "G", "4X", "4iB", "-4G", "4.5.6", "4GBB", "4 G B"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }
}
