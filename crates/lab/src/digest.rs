//! SHA-256 in hex.

use std::path::Path;

use sha2::{Digest, Sha256};

use crate::error::LabError;

/// Lower-case hexadecimal digits of `bytes`.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// SHA-256 of a file.
pub fn digest(path: &Path) -> Result<String, LabError> {
    let bytes = std::fs::read(path).map_err(LabError::io("read", path))?;
    Ok(hex(&Sha256::digest(bytes)))
}
