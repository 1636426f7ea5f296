//! `losscape ls`.

use std::path::PathBuf;

use losscape_lab::folder::write_whole;
use losscape_lab::nearest::meant;
use losscape_report::listing::Listing;

use crate::args::LsArgs;
use crate::compare::link;
use crate::error::CliError;
use crate::terminal::{self, note, say, show};

/// Where runs and studies are made, if nothing else is said.
const USUAL: [&str; 2] = ["runs", "studies"];

/// Lists runs and studies.
pub fn run(args: &LsArgs) -> Result<(), CliError> {
    let folders: Vec<PathBuf> = match &args.folders[..] {
        [] => USUAL.map(PathBuf::from).into_iter().filter(|folder| folder.is_dir()).collect(),
        named => named.to_vec(),
    };
    if folders.is_empty() {
        let message = "there is neither runs nor studies here; name a folder that runs are in".to_owned();
        return Err(CliError::Message(message));
    }
    let mut listing = Listing::of(&folders)?;
    for (folder, error) in &listing.damaged {
        note!("left out: {}: {error}", folder.display());
    }
    let keys = listing.keys();
    let known = |key: &str| {
        if keys.is_empty() || keys.iter().any(|known| known == key) {
            return Ok(());
        }
        let meant = meant(key, keys.iter().map(String::as_str));
        Err(CliError::Message(format!("no run or study here has `{key}`{meant}")))
    };
    for filter in &args.filters {
        let (key, value) = filter
            .split_once('=')
            .ok_or_else(|| CliError::Message(format!("--where {filter} is not possible: it is KEY=VALUE")))?;
        known(key)?;
        listing.keep(key, value);
    }
    args.show.iter().chain([&args.sort]).try_for_each(|key| known(key))?;
    listing.sort(&args.sort);
    if args.json {
        terminal::out(&format!("{:#}\n", listing.json()));
    } else {
        show!("{}", listing.table(&args.show));
    }
    if let Some(out) = &args.out {
        let page = listing.html(&args.show, |entry| link(out, &entry.folder.join("report.html")));
        write_whole(out, page.as_bytes())?;
        if !args.json {
            say!("{}", out.display());
        }
    }
    Ok(())
}
