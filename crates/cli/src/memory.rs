//! Amounts of memory.

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
