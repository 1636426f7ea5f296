//! Amounts of memory.

use crate::error::CliError;

/// A number of bytes, with a unit or without.
pub fn bytes(text: &str) -> Result<usize, CliError> {
    let digits = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim().to_ascii_uppercase().as_str() {
        "" | "B" => Some(1.0),
        "KB" => Some(1e3),
        "MB" => Some(1e6),
        "GB" => Some(1e9),
        "KIB" => Some(1024.0),
        "MIB" => Some(1024f64.powi(2)),
        "GIB" => Some(1024f64.powi(3)),
        _ => None,
    };
    match (number.parse::<f64>(), factor) {
        (Ok(number), Some(factor)) => Ok((number * factor) as usize),
        _ => Err(CliError::Message(format!("`{text}` is no amount of memory; write 500MB or 12GB"))),
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
