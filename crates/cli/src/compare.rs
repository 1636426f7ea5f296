//! `losscape compare`.

use std::path::Path;

use losscape_lab::RunFolder;
use losscape_lab::folder::write_whole;
use losscape_report::RunRecords;
use losscape_report::compare::Comparison;

use crate::args::CompareArgs;
use crate::error::CliError;
use crate::terminal::{self, say, show};

/// Shows runs side by side.
pub fn run(args: &CompareArgs) -> Result<(), CliError> {
    let read = |run| RunRecords::read(&RunFolder::new(run));
    let records = args.runs.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let comparison = Comparison::of(&records)?;
    if args.json {
        terminal::out(&format!("{:#}\n", comparison.json()));
    } else {
        show!("{}", comparison.table());
    }
    if let Some(out) = &args.out {
        let page = comparison.html(|run| link(out, &run.folder.report()));
        write_whole(out, page.as_bytes())?;
        if !args.json {
            say!("{}", out.display());
        }
    }
    Ok(())
}

/// The address of a file for a page, if there is such a file.
pub fn link(page: &Path, file: &Path) -> Option<String> {
    file.exists().then(|| address(page, file))
}

/// From the page's folder where the file stands below it, otherwise the whole path.
fn address(page: &Path, file: &Path) -> String {
    let whole = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let (page, file) = (whole(page), whole(file));
    let below = page.parent().and_then(|folder| file.strip_prefix(folder).ok());
    // Of a path nothing may be read as a part of an address.
    let safe = |path: &Path| {
        let text = path.display().to_string();
        let encode = |c: char| match c {
            '%' | '?' | '#' | ' ' | '"' | '<' | '>' | '\\' => format!("%{:02X}", c as u32),
            _ => c.to_string(),
        };
        text.chars().map(encode).collect::<String>()
    };
    match below {
        Some(below) => format!("./{}", safe(below)),
        None => format!("file://{}", safe(&file)),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::address;

    #[test]
    fn links_lead_from_the_page() {
        let to = |file: &str| address(Path::new("/a/compare.html"), Path::new(file));
        assert_eq!(to("/a/runs/x y#1/report.html"), "./runs/x%20y%231/report.html");
        assert_eq!(to("/b/report.html"), "file:///b/report.html");
        assert_eq!(to("/a/javascript:x/report.html"), "./javascript:x/report.html");
    }
}
