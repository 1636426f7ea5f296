//! A table of text, for terminal and page.

/// A table of text: a head and rows, all of one length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Names of the columns; the first may be empty.
    pub head: Vec<String>,
    /// Rows of as many cells.
    pub rows: Vec<Vec<String>>,
}

/// From this many characters on a cell is a sentence, which is aligned left, and broken where there is no room.
const SENTENCE: usize = 32;

/// The narrowest column that sentences are broken into.
const NARROWEST: usize = 24;

impl Table {
    /// The table in lines of at most so many characters, as far as breaking the last column makes that possible.
    ///
    /// Columns are padded to their widest cell, the first aligned left, the others right, and the last one left where
    /// it holds sentences.
    #[must_use]
    pub fn text(&self, columns: Option<usize>) -> String {
        let cells = || std::iter::once(&self.head).chain(&self.rows);
        let width = |column: usize| cells().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let mut widths: Vec<usize> = (0..self.head.len()).map(width).collect();
        let Some(last) = widths.len().checked_sub(1) else { return String::new() };
        let has_sentences = last > 0 && widths[last] > SENTENCE;
        let before: usize = widths[..last].iter().map(|width| width + 2).sum();
        if let Some(columns) = columns.filter(|_| has_sentences) {
            widths[last] = widths[last].min(columns.saturating_sub(before).max(NARROWEST));
        }
        let mut text = String::new();
        for row in cells() {
            let lines = if has_sentences { broken(&row[last], widths[last]) } else { vec![row[last].clone()] };
            for (at, end) in lines.iter().enumerate() {
                let line = row.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| match column {
                    _ if column == last && has_sentences => end.clone(),
                    _ if at > 0 => " ".repeat(width),
                    0 => format!("{cell:<width$}"),
                    _ => format!("{cell:>width$}"),
                });
                text += line.collect::<Vec<_>>().join("  ").trim_end();
                text.push('\n');
            }
        }
        text
    }
}

/// A text in lines of at most so many characters, if no word is longer.
#[must_use]
pub fn broken(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is one");
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else {
            *line += if line.is_empty() { "" } else { " " };
            *line += word;
        }
    }
    lines
}

impl std::fmt::Display for Table {
    /// As [`text`](Table::text), in lines of any length.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text(None))
    }
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn sentences_are_broken_and_numbers_are_not() {
        let cells = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        let sentence = "no local learning coefficient: the chains find losses far below that of the weights";
        let table = Table { head: cells(["", ""]), rows: vec![cells(["chains", "4"]), cells(["result", sentence])] };
        let text = table.text(Some(50));
        assert!(text.lines().all(|line| line.chars().count() <= 50), "{text}");
        assert_eq!(text.split_whitespace().collect::<Vec<_>>().join(" "), format!("chains 4 result {sentence}"));
        assert_eq!(table.to_string().lines().count(), 3);
        let numbers = Table { head: cells(["", "loss"]), rows: vec![cells(["train", "0.25"])] };
        assert_eq!(numbers.text(Some(8)), "       loss\ntrain  0.25\n");
    }
}
