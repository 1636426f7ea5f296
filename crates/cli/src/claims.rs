//! `losscape claims`.

use losscape_claims::{ALL, Claim, ClaimFolder, ClaimRecord, ClaimSettings, Effect, Effort, find};
use losscape_lab::nearest::meant;
use losscape_report::claims::{table, write};
use serde_json::json;

use crate::args::{ClaimsArgs, ClaimsCommand};
use crate::device;
use crate::error::CliError;
use crate::progress;
use crate::terminal::{self, news, note, say, show};

/// Lists or measures; the exit code is 1 when a verdict is not the one expected.
pub fn run(command: &ClaimsCommand) -> Result<u8, CliError> {
    match command {
        ClaimsCommand::List => {
            for claim in ALL {
                let expected = claim.expected.to_string();
                say!("{:24} {:26} {expected:20} {}", claim.id, claim.family.to_string(), claim.source);
            }
            Ok(0)
        }
        ClaimsCommand::Run(args) => measure(args),
    }
}

fn measure(args: &ClaimsArgs) -> Result<u8, CliError> {
    let claims = chosen(&args.ids)?;
    let device = device::parse(&args.device)?;
    let effort = if args.full { Effort::Full } else { Effort::Quick };
    let settings = ClaimSettings { seed: args.seed, effort, device };
    let folder = ClaimFolder::new(&args.out);
    if args.fresh {
        claims.iter().try_for_each(|claim| folder.forget(claim.id))?;
    }
    let done: Vec<Option<ClaimRecord>> = claims.iter().map(|claim| folder.of(claim.id, &settings)).collect();
    let known = done.iter().flatten().count();
    if known > 0 {
        news!("{known} of {} claims were measured before (--fresh measures them anew)", claims.len());
    }
    let bar = progress::counter(claims.len());
    let mut records = Vec::new();
    for (claim, known) in claims.iter().zip(done) {
        bar.set_message(claim.id);
        let record = match known {
            Some(record) => record,
            None => {
                let record = ClaimRecord::measure(claim, &settings);
                folder.write(&record)?;
                record
            }
        };
        records.push(record);
        bar.inc(1);
    }
    bar.finish_and_clear();
    // The page shows all that the folder has of these settings, not only what was asked for now.
    let shown: Vec<ClaimRecord> = ALL
        .iter()
        .filter_map(|claim| {
            let asked = records.iter().find(|record| record.id == claim.id).cloned();
            asked.or_else(|| folder.of(claim.id, &settings))
        })
        .collect();
    write(&folder, &shown)?;
    if args.json {
        let array: Vec<_> = records.iter().map(object).collect();
        // JSON has no control characters but line breaks.
        terminal::out(&format!("{:#}\n", serde_json::Value::from(array)));
    } else {
        show!("{}", table(&records).text(terminal::columns()));
        // Of all claims the page says it; of a few there is room here.
        for record in records.iter().filter(|_| records.len() <= 3) {
            say!("{}: prepared from", record.id);
            record.evidence.preparation.iter().for_each(|line| say!("  {line}"));
        }
        say!("{}", folder.report().display());
    }
    let surprising: Vec<&ClaimRecord> = records.iter().filter(|record| !record.is_as_expected()).collect();
    for record in &surprising {
        let why = record.error.as_deref().unwrap_or("which theory does not expect");
        note!("{}: {}, {why}", record.id, record.verdict);
    }
    Ok(u8::from(!surprising.is_empty()))
}

fn chosen(ids: &[String]) -> Result<Vec<&'static Claim>, CliError> {
    if ids.is_empty() {
        return Ok(ALL.iter().collect());
    }
    let unknown = |id: &str| {
        let meant = meant(id, ALL.iter().map(|claim| claim.id));
        CliError::Message(format!("unknown claim `{id}`; `losscape claims list` tells what there is{meant}"))
    };
    ids.iter().map(|id| find(id).ok_or_else(|| unknown(id))).collect()
}

fn object(record: &ClaimRecord) -> serde_json::Value {
    json!({
        "id": record.id,
        "family": record.family,
        "verdict": record.verdict,
        "expected": record.expected,
        "error": record.error,
        "checks": record.evidence.compared(),
        "slack": record.evidence.slack(),
        "preparation": record.evidence.preparation,
        "effects": record.evidence.effects.iter().map(effect).collect::<Vec<_>>(),
        "figures": record.evidence.by_name(),
        "seconds": record.seconds,
    })
}

/// An effect with its 95 % confidence interval.
fn effect(effect: &Effect) -> serde_json::Value {
    let interval = effect.interval();
    json!({
        "name": effect.name,
        "above": effect.above,
        "below": effect.below,
        "mean": interval.map(|interval| interval.mean),
        "low": interval.map(|interval| interval.low),
        "high": interval.map(|interval| interval.high),
        "seeds": effect.samples.len(),
    })
}
