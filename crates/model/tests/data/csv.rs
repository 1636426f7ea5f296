//! CSV: files as pandas, R, Excel and UCI write them, read or refused with what to do.

use losscape_model::data::table::{ColumnKey, Csv, Task};
use losscape_model::data::{DataError, Parts, Source};

use super::{Folder, gzip, labels, refused, values};

fn name(name: &str) -> ColumnKey {
    ColumnKey::Name(name.to_owned())
}

/// Reads `text` with the settings.
fn read(text: impl AsRef<[u8]>, csv: &Csv) -> Result<Parts, DataError> {
    let folder = Folder::new();
    let path = folder.write("d.csv", text);
    super::load(Source::Csv(Csv { path, ..csv.clone() }))
}

/// Reads a training and a test file with the settings.
fn read_both(train: &str, test: &str, csv: &Csv) -> Result<Parts, DataError> {
    let folder = Folder::new();
    let (path, test_path) = (folder.write("train.csv", train), Some(folder.write("test.csv", test)));
    super::load(Source::Csv(Csv { path, test_path, ..csv.clone() }))
}

/// Inputs and labels of the same two samples, in many files.
#[test]
fn files_of_every_origin_are_read_alike() {
    let default = Csv::default();
    let headerless = Csv { header: Some(false), ..default.clone() };
    let delimited = |word: &str| Csv { delimiter: Some(word.to_owned()), ..default.clone() };
    let cases: Vec<(&[u8], Csv)> = vec![
        (b"a,b,y\n1,2.5,0\n-3,4e-1,1\n", default.clone()),
        (b"a,b,y\r\n1,2.5,0\r\n-3,4e-1,1", default.clone()),
        (b"\xef\xbb\xbfa,b,y\n1,2.5,0\n-3,4e-1,1\n", default.clone()),
        (b"\n\na,b,y\n\n1, 2.5 ,0\n\n\n-3,.4,1\n\n", default.clone()),
        (b"\"a\",\"b\",\"y\"\n\"1\",\"2.5\",\"0\"\n-3,\"0.4\",1\n", default.clone()),
        (b"a,\"b\nwith a line, a \"\"quote\"\"\",y\n1,2.5,0\n-3,0.4,1\n", default.clone()),
        (b"a,b,y\n1,2.5,0.0\n-3,0.4,1.0\n", default.clone()),
        (b"a;b;y\n1;2.5;0\n-3;0.4;1\n", delimited(";")),
        (b"a\tb\ty\n1\t2.5\t0\n-3\t0.4\t1\n", delimited("tab")),
        (b"a\tb\ty\n1\t2.5\t0\n-3\t0.4\t1\n", delimited("\t")),
        (b"a|b|y\n1|2.5|0\n-3|0.4|1\n", delimited("|")),
        (b"  a  b \t y\n  1  2.5 \t 0\n -3 0.4 1 \n", delimited("whitespace")),
        (b"1,2.5,0\n-3,0.4,1\n", headerless.clone()),
        (
            b"0,1,1\n1,2.5,0\n-3,0.4,1\n",
            Csv { header: Some(true), columns: vec![ColumnKey::Number(0), ColumnKey::Number(1)], ..default.clone() },
        ),
        (b"0,1,2.5\n1,-3,0.4\n", Csv { target: Some(ColumnKey::Number(0)), ..headerless.clone() }),
        (b",a,b,y\n0,1,2.5,0\n1,-3,0.4,1\n", Csv { drop: vec![ColumnKey::Number(0)], ..default.clone() }),
        (
            b"y,b,date,a\n0,2.5,may,1\n1,0.4,june,-3\n",
            Csv { target: Some(name("y")), columns: vec![name("a"), name("b")], ..default.clone() },
        ),
        (
            b"y,date,a,b\n0,may,1,2.5\n1,june,-3,0.4\n",
            Csv { target: Some(name("y")), drop: vec![name("date")], ..default.clone() },
        ),
    ];
    for (text, csv) in cases {
        for bytes in [text.to_vec(), gzip(text)] {
            let data = read(bytes, &csv).unwrap_or_else(|error| panic!("{}: {error}", String::from_utf8_lossy(text)));
            assert_eq!(data.train.inputs.values, [1.0, 2.5, -3.0, 0.4], "{}", String::from_utf8_lossy(text));
            assert_eq!((labels(&data.train), data.train.target().columns()), (&[0, 1][..], 2));
            let told = |notice: &String| {
                notice.contains("`0.0` is a whole number") || notice.contains("the last, is the target")
            };
            assert!(data.notices.iter().all(told), "{:?}", data.notices);
        }
    }
}

#[test]
fn a_target_of_any_kind_makes_classes_with_names() {
    // The column, labels, names of the classes.
    let cases: &[(&[&str], &[usize], &[&str])] = &[
        (&["virginica", "setosa", "virginica"], &[1, 0, 1], &["setosa", "virginica"]),
        (&["1", "2", "1"], &[0, 1, 0], &["1", "2"]),
        (&["-1", "1", "-1"], &[0, 1, 0], &["-1", "1"]),
        (&["1000", "0", "0"], &[1, 0, 0], &["0", "1000"]),
        (&["10", "9", "10"], &[1, 0, 1], &["9", "10"]),
        (&["+", "-", "+"], &[0, 1, 0], &["+", "-"]),
        (&["10000000", "0", "0"], &[1, 0, 0], &["0", "10000000"]),
        (&["0", "1", "2"], &[0, 1, 2], &["0", "1", "2"]),
        (&["3", "A", "3"], &[0, 1, 0], &["3", "A"]),
        (&["True", "False", "True"], &[1, 0, 1], &["False", "True"]),
    ];
    for (column, expected, names) in cases {
        let rows: Vec<String> = column.iter().map(|label| format!("0.5,{label}")).collect();
        let data = read(format!("x,y\n{}\n", rows.join("\n")), &Csv::default()).expect("it is read");
        assert_eq!(labels(&data.train), *expected, "{column:?}");
        let found: Vec<String> = (0..data.train.target().columns()).map(|class| data.train.class_name(class)).collect();
        assert_eq!(found, *names);
    }
    // Said where numbers are not the classes as they stand, and not said where they are.
    let notices = |text: &str| read(text, &Csv::default()).expect("it is read").notices;
    let said = notices("x,y\n1,1\n0.5,2\n");
    assert!(said[0].contains("d.csv, column `y`: the labels 1, 2 are the classes 0 to 1; classes = 3"), "{said:?}");
    assert!(notices("x,y\n1,b\n0.5,a\n").is_empty());
    // What looks alike, is one number or a date.
    let cases = [
        ("x,y\n1,a\n0.5,A\n", "`A` and `a` look alike (case, spaces, quotes, forms of Unicode), and are two classes"),
        ("x,y\n1,caf\u{e9}\n0.5,cafe\u{301}\n", "`cafe\\u{301}` and `caf\\u{e9}` look alike"),
        ("x,y\n1,a\u{200b}b\n0.5,ab\n", "`ab` and `a\\u{200b}b` look alike"),
        ("x,y\n1,new york\n0.5,new\u{a0}york\n", "`new york` and `new\\u{a0}york` look alike"),
        ("x,y\n1,01\n0.5,1\n2,0\n", "`01` and `1` are one number, and so one class"),
        ("x,y\n1,2024-01-31\n0.5,2024-02-01\n", "`2024-01-31` looks like a date or a time"),
        ("x,y\n1,31.1.2024 12:00\n0.5,no\n", "`31.1.2024 12:00` looks like a date or a time"),
        ("x,y\n1,2020-05\n0.5,2020-06\n", "`2020-05` looks like a date or a time"),
        ("x,y\n1,12:30\n0.5,13:00\n", "`12:30` looks like a date or a time"),
        ("x,y\n1,3-Jan-20\n0.5,4-Feb-20\n", "`3-Jan-20` looks like a date or a time"),
        ("x,y\n1,'a'\n0.5,a\n", "`'a'` and `a` look alike"),
        ("x,y\n1,0\n0.5,0\n", "every sample has the label `0`; is this the target?"),
        ("x,y\n1,1.0\n0.5,0.0\n", "`1.0` is a whole number, and the label of a class; set task = \"regression\""),
    ];
    for (text, said) in cases {
        let notices = notices(text);
        assert!(notices.iter().any(|notice| notice.contains(said)), "{text}: {notices:?}");
    }
    // As many classes as nobody may have meant.
    let many = |label: &dyn Fn(usize) -> String| -> String {
        (0..30).map(|at| format!("{},{}\n", 0.1 * at as f64, label(at))).collect()
    };
    let said = notices(&format!("x,y\n{}", many(&|at| at.to_string())));
    assert!(said[0].contains("30 numbers as `0` are read as classes; set task"), "{said:?}");
    let said = notices(&format!("x,y\n{}", many(&|at| format!("{at}.5 kg"))));
    assert!(said[0].contains("30 numbers as `0.5 kg` are read as classes"), "{said:?}");
    let letters = |at: usize| (0..=at).map(|_| 'a').collect::<String>();
    let said = notices(&format!("x,y\n{}", many(&letters)));
    assert!(said[0].contains("30 labels for 30 samples; is this the target?"), "{said:?}");
    for text in ["x,y\n1,v1.2.3\n0.5,10-20\n", "x,y\n1,e\n0.5,\u{e9}\n"] {
        assert!(notices(text).is_empty(), "{text}: {:?}", notices(text));
    }
    // The setting that decides.
    let data = read("x,y\n1,1\n0.5,2\n", &Csv { classes: Some(3), ..Csv::default() }).expect("it is read");
    assert_eq!((labels(&data.train), data.train.target().columns()), (&[1, 2][..], 3));
    let data = read("x,y\n1,b\n0.5,a\n", &Csv { classes: Some(3), ..Csv::default() }).expect("it is read");
    assert_eq!((labels(&data.train), data.train.target().columns()), (&[1, 0][..], 3));
}

#[test]
fn regression_takes_numbers() {
    let csv = Csv { task: Some(Task::Regression), ..Csv::default() };
    let data = read("x,y\n1,2\n0.5,-3.5\n", &csv).expect("it is read");
    assert_eq!(values(&data.train), [2.0, -3.5]);
    refused(read("x,y\n1,2\n0.5,fast\n", &csv), &["d.csv:3: column `y` holds `fast`, which is not a number"]);
    refused(read("x,y\n1,2\n\n0.5,NA\n", &csv), &["d.csv:4: the target of column `y` is missing (`NA`)"]);
}

#[test]
fn test_files_are_matched_by_name() {
    let train = "a,b,y\n1,2,no\n3,4,yes\n";
    for test in ["a,b,y\n5,6,yes\n", "y,b,a\nyes,6,5\n", "b,y,a\n6,yes,5\n"] {
        let test = read_both(train, test, &Csv::default()).expect("it is read").test.expect("there is a test part");
        assert_eq!((&test.inputs.values[..], labels(&test)), (&[5.0, 6.0][..], &[1][..]));
        assert_eq!(test.class_name(1), "yes");
    }
    let dropped = Csv { drop: vec![name("a")], ..Csv::default() };
    let test = read_both(train, "y,b\nno,6\n", &dropped).expect("it is read").test.expect("there is a test part");
    assert_eq!(test.inputs.values, [6.0]);
    let csv = Csv::default();
    refused(read_both(train, "a,y\n5,yes\n", &csv), &["test.csv:1", "no column `b`, as the training file has"]);
    refused(read_both(train, "a,b\n5,6\n", &csv), &["test.csv:1", "no column `y`"]);
    refused(read_both(train, "a,b,c,y\n5,6,7,yes\n", &csv), &["test.csv:1", "column `c` is not in the training file"]);
    refused(read_both(train, "5,6,yes\n", &csv), &["test.csv:1", "set header = false", "header = true"]);
    refused(read_both(train, "a,b,y\n5,6,maybe\n", &csv), &["test.csv:2", "`maybe` is not among the training labels"]);
    let accents = ["x,y\n1,e\u{301}\n2,a\n", "x,y\n1,\u{e9}\n"];
    let words = "label `\\u{e9}` is not among the training labels; `e\\u{301}` is";
    refused(read_both(accents[0], accents[1], &csv), &["test.csv:2", words]);
    refused(read_both(train, "a,b,y\n5,6,?\n", &csv), &["test.csv:2", "the target is missing (`?`)"]);
    refused(read_both("a,y\n1,1\n2,2\n", "a,y\n1,3\n", &csv), &["test.csv:2", "label `3` is not among the training"]);
    let headerless = Csv { header: Some(false), ..Csv::default() };
    refused(read_both("1,2,0\n", "1,0\n", &headerless), &["test.csv:1: 2 columns, and 3 in the training file"]);
    refused(read_both("1,2,0\n", "a,b,y\n1,2,0\n", &headerless), &["test.csv:1", "set header = true"]);
}

#[test]
fn missing_values_are_named_with_their_lines() {
    for marker in ["", "?", "NA", "n/a", "NaN", "nan", "null", "None", "-", "#N/A", "<NA>", ".", "\"\"", " ? "] {
        let text = format!("a,b,y\n1,2,no\n\n3,4,yes\n5,6,{marker}\n");
        refused(read(&text, &Csv::default()), &["d.csv:5: column `y`: the target is missing", "leave out"]);
        let text = format!("a,b,y\n1,2,0\n\r\n3,{marker},1\n");
        refused(read(&text, &Csv::default()), &["d.csv:4: the value of column `b` is missing", "drop = [\"b\"]"]);
    }
}

#[test]
fn what_can_be_read_in_two_ways_is_refused() {
    let regression = "task = \"regression\"";
    let many: String = (0..60).map(|at| format!("0.5,{}\n", 7 * at)).collect();
    let cases: Vec<(String, Vec<&str>)> = [
        ("", vec!["d.csv: the dataset has no samples"]),
        ("a,y\n", vec!["d.csv: the dataset has no samples"]),
        ("1,2,0\n3,4,1\n", vec!["d.csv:1", "set header = false", "header = true"]),
        ("5.1,3.5,setosa\n4.9,3.0,virginica\n", vec!["d.csv:1", "`5.1`", "set header = false"]),
        (",a,y\n0,1,0\n1,3,1\n", vec!["d.csv:1: column 0 has no name", "drop = [0]"]),
        ("Unnamed: 0,a,y\n0,1,0\n1,3,1\n", vec!["d.csv:1: column 0 has no name"]),
        ("a,a,y\n0,1,0\n1,3,1\n", vec!["d.csv:1: two columns are called `a`"]),
        ("a,y,\n0,1,\n1,0,\n", vec!["d.csv:1: the last column has no name", "delimiter end every line"]),
        ("a,y\n1,0,\n2,1,\n", vec!["d.csv:2: 3 fields, and 2 in the header; a delimiter ends the line"]),
        ("a,y\n\"1\",5,0\n", vec!["d.csv:2: 3 fields", "row.names = FALSE"]),
        ("a,y\n1,0.5\n2,0.25\n", vec!["d.csv:2: column `y`: `0.5` is a decimal number", regression]),
        ("a,y\n1,0\n\n2,0.25\n", vec!["d.csv:4: column `y`: `0.25` is a decimal", regression]),
        ("a,y\n1,x\n2,0.25\n", vec!["d.csv:3: column `y`: `0.25` is a decimal", regression]),
        (&format!("a,y\n{many}"), vec!["60 different labels for 60 samples", "classes", regression]),
        ("a,y\n9007199254740993,0\n2,1\n", vec!["d.csv:2: column `a` holds", "beyond 2⁵³", "drop = [\"a\"]"]),
        ("a,y\n1,10%\n2,20%\n", vec!["d.csv:2: column `y`: `10%` looks like a number", "plainly"]),
        ("a,y\n1,$3\n2,$4\n", vec!["d.csv:2: column `y`: `$3` looks like a number"]),
        ("a,y\n1,\"1,000\"\n2,\"2,000\"\n", vec!["`1,000` looks like a number"]),
        ("NA,?,yes\n1,2,no\n", vec!["d.csv:1: the first line has a value (`NA`)", "header = false"]),
        ("10%,20%,a\n1,2,b\n", vec!["d.csv:1: the first line has a value (`10%`)", "header = false"]),
        ("a;b;y\n1;2;0\n", vec!["d.csv:1: there is one column", "delimiter = \";\""]),
        ("a\tb\ty\n1\t2\t0\n", vec!["delimiter = \"tab\""]),
        ("a b y\n1 2 0\n", vec!["delimiter = \"whitespace\""]),
        ("a;b,c;y\n1;2,3;0\n", vec!["d.csv:2: column `a;b` holds `1;2`", "delimiter = \";\""]),
        ("\"a b\";\"y\"\n1;0\n", vec!["d.csv:1: text stands between a closing quote", "delimiter = \";\""]),
        ("\"a b\"\t\"y\"\n1\t0\n", vec!["d.csv:1: text stands between a closing quote", "delimiter = \"tab\""]),
        ("sep=;\na;y\n1;0\n", vec!["d.csv:1: this is Excel's word", "delimiter = \";\""]),
        ("# made by\na,y\n1,0\n", vec!["d.csv:1: comments are not read"]),
        ("a,b,y\n1,2,0\n# so far\n", vec!["d.csv:3: 1 fields, and 3 in the header; comments are not read"]),
        ("@RELATION iris\n", vec!["ARFF"]),
        ("a,b,y\n1,\"2,5\",0\n", vec!["d.csv:2: column `b` holds `2,5`: decimals are written with a point"]),
        ("a,b,y\n1,True,0\n", vec!["write 1 and 0"]),
        ("a,b,y\n1,2020-01-01,0\n", vec!["column `b` holds `2020-01-01`", "drop = [\"b\"]"]),
        ("a,b,y\n1,1e400,0\n", vec!["d.csv:2", "`1e400`, which is not finite"]),
        ("a,b,y\n1,-inf,0\n", vec!["`-inf`, which is not finite"]),
        ("a,b,y\n1,2,0\n1,2\n", vec!["d.csv:3: 2 fields, and 3 in the header"]),
        ("a,b,y\n1,\"2,0\n1,2,0\n", vec!["d.csv:2: a quote that opens here is never closed"]),
        ("a,b,y\n1,\"2\"3,0\n", vec!["d.csv:2: text stands between a closing quote"]),
        ("a,\"b\nc\",y\n1,2,0\nx,2,0\n", vec!["d.csv:4: column `a` holds `x`"]),
        ("a,b,y\r1,2,0\r", vec!["lines end with \\r alone"]),
        ("a,b,y\n1,2\0,0\n", vec!["d.csv:2: there is a zero byte"]),
        ("a,b,y\n1,2,\x1b[2J\n", vec!["d.csv:2: there is a control character, \\u{1b}"]),
        ("PK\x03\x04\n", vec!["it is a zip archive"]),
        ("<!DOCTYPE html>\n", vec!["it is a web page"]),
    ]
    .into_iter()
    .map(|(text, words)| (text.to_owned(), words))
    .collect();
    for (text, words) in &cases {
        refused(read(text, &Csv::default()), words);
    }
    refused(read(b"a,y\n1,\xe9t\xe9\n", &Csv::default()), &["d.csv:2: the text is not UTF-8"]);
    refused(read(b"\xff\xfea\0,\0y\0\n\0", &Csv::default()), &["the file is UTF-16"]);
}

#[test]
fn settings_that_do_not_fit_are_refused() {
    let text = "a,b,b,y\n1,2,3,0\n4,5,6,1\n";
    let number = ColumnKey::Number;
    let default = Csv::default();
    let cases: Vec<(Csv, &str)> = vec![
        (Csv { target: Some(name("z")), ..default.clone() }, "no column `z`; there are a, b, b, y"),
        (Csv { target: Some(number(4)), ..default.clone() }, "no column 4; there are 4, counted from 0"),
        (Csv { target: Some(name("b")), ..default.clone() }, "columns 1 and 2 are both called `b`"),
        (Csv { drop: vec![name("b")], ..default.clone() }, "columns 1 and 2 are both called `b`"),
        (Csv { drop: vec![name("y")], ..default.clone() }, "this is the target column"),
        (Csv { columns: vec![number(0), number(3)], ..default.clone() }, "this is the target column"),
        (Csv { columns: vec![number(0), number(0)], ..default.clone() }, "a column is an input once"),
        (Csv { columns: vec![number(0)], drop: vec![number(1)], ..default.clone() }, "leave one of the two out"),
        (Csv { drop: (0..3).map(number).collect(), ..default.clone() }, "no column is left for inputs"),
        (Csv { delimiter: Some("1".into()), ..default.clone() }, "delimiter = \"1\" is not possible"),
        (Csv { delimiter: Some(String::new()), ..default.clone() }, "delimiter = \"\" is not possible"),
        (Csv { header: Some(false), target: Some(name("y")), ..default.clone() }, "header = false: give its number"),
        (Csv { columns: vec![number(0)], classes: Some(1), ..default.clone() }, "label 1, but there are 1 classes"),
        (Csv { columns: vec![number(0)], classes: Some(usize::MAX), ..default.clone() }, "classes = 1844674407370955"),
    ];
    for (csv, words) in cases {
        refused(read(text, &csv), &[words]);
    }
    // What decides between 60 classes and a regression.
    let many: String = (0..60).map(|at| format!("0.5,{}\n", 7 * at)).collect();
    let csv = Csv { task: Some(Task::Classification), ..default };
    assert_eq!(read(format!("a,y\n{many}"), &csv).expect("it is said").train.target().columns(), 60);
}

#[test]
fn a_column_that_counts_the_rows_is_told() {
    let rows: String = (1..=6).map(|row| format!("{row},0.5,{}\n", row % 2)).collect();
    let data = read(format!("Id,x,y\n{rows}"), &Csv::default()).expect("it is read");
    assert!(data.notices[0].contains("column `Id` counts the rows; drop = [\"Id\"]"), "{:?}", data.notices);
    let data = read("PassengerId,x,y\n892,1,a\n893,2,b\n894,0,a\n895,7,b\n896,3,b\n", &Csv::default());
    assert!(data.expect("it is read").notices[0].contains("`PassengerId` counts the rows"));
    let data = read("id,x,y\n842,1,a\n84,2,b\n94,0,a\n9,7,b\n6,3,b\n", &Csv::default());
    assert!(data.expect("it is read").notices[0].contains("`id` is another number in each row; drop = [\"id\"]"));
}

#[test]
fn a_small_file_that_grows_is_refused() {
    // 96 MiB of zeros and commas in 0.1 MiB of gzip: 48 Mi numbers.
    let line = "0,".repeat(1 << 14) + "1\n";
    let text = line.repeat((3 << 10) + 1);
    let header: String = (0..=1 << 14).map(|at| format!("c{at},")).collect();
    let packed = gzip(format!("{}\n{text}", header.trim_end_matches(',')).as_bytes());
    assert!(packed.len() < 1 << 18);
    refused(read(packed, &Csv::default()), &["bytes and becomes", "decompress it first"]);
}

/// Identities of runs are made of the settings as they are written: those that are not set must not show, but for two
/// that always did.
#[test]
fn settings_are_written_as_before() {
    let csv = Csv { path: "d.csv".into(), ..Csv::default() };
    let written = toml::to_string(&csv).expect("it can be written");
    assert_eq!(written, "path = \"d.csv\"\nheader = true\ntask = \"classification\"\n");
}

#[test]
fn columns_are_given_by_name_or_number() {
    let read = |target: &str| toml::from_str::<Csv>(&format!("path = \"d.csv\"\ntarget = {target}"));
    assert_eq!(read("\"0\"").expect("a name").target, Some(name("0")));
    assert_eq!(read("0").expect("a number").target, Some(ColumnKey::Number(0)));
    for wrong in ["-1", "0.5", "true"] {
        let message = read(wrong).expect_err("no column").to_string();
        assert!(message.contains("the name of a column or its number, counted from 0"), "{message}");
    }
}

#[test]
fn the_last_column_is_the_target_unless_another_is_called_so() {
    let csv = Csv::default();
    refused(read("label,a,b\n0,1,2\n1,3,4\n", &csv), &["d.csv:1", "the last column, `b`, or `label`? Set target"]);
    let data = read("label,a,b\n0,1,2\n1,3,4\n", &Csv { target: Some(name("label")), ..Csv::default() });
    assert_eq!(data.expect("it is read").train.inputs.values, [1.0, 2.0, 3.0, 4.0]);
    let dropped = Csv { drop: vec![name("label")], ..Csv::default() };
    assert!(read("label,a,b\n0,1,2\n1,3,4\n", &dropped).expect("it is read").notices[0].contains("the labels 2, 4"));
    let data = read("x,y,Class\n0.5,1,0\n1,3,1\n", &csv).expect("it is read");
    assert!(data.notices[0].contains("column `Class` is the target, as the last one, and column `y` an input"));
    assert_eq!(data.train.inputs.values, [0.5, 1.0, 1.0, 3.0]);
}

#[test]
fn what_is_no_sample_is_no_class() {
    let first = Csv { target: Some(name("y")), ..Csv::default() };
    refused(read("y,a\nq,1\n#q,2\n", &first), &["d.csv:3", "comments are not read"]);
    refused(read("y,a\nq,1\ny,2\n", &first), &["d.csv:3", "is the name of its column: is this the header again?"]);
    refused(read("y,a\nq,1\n\"a\nb\",2\n", &first), &["d.csv:3", "has a line break in it"]);
    refused(read("a,y\n1, \"q\"\n", &Csv::default()), &["d.csv:2", "a quote stands behind a blank"]);
    let headerless = Csv { header: Some(false), ..Csv::default() };
    refused(read("1,5;2\n1,6;3\n2,7;4\n", &headerless), &["every label is like `5;2`; is delimiter = \";\" right?"]);
    let said = Csv { task: Some(Task::Classification), ..headerless };
    assert_eq!(labels(&read("1,a|b\n2,b|c\n", &said).expect("labels of several words").train), [0, 1]);
    for missing in ["-nan(ind)", "1.#QNAN0", "#WERT!", "(null)", "—", "undefined", "''", "[]", "n/a", "-", "#NAME?"] {
        let text = format!("x,y\n1,p\n2,{missing}\n3,q\n");
        refused(read(text, &Csv::default()), &["d.csv:3", "the target is missing"]);
    }
}

#[test]
fn numbers_that_64_bits_do_not_hold_are_refused() {
    let digits = "1".repeat(40);
    for number in [digits.as_str(), "9007199254740993.0", "1e-400", "-0.000e5x"] {
        let text = format!("x,y\n{number},a\n1,b\n");
        refused(read(text, &Csv::default()), &["d.csv:2: column `x` holds"]);
    }
    assert!(read("x,y\n-0.000e5,a\n1e300,b\n", &Csv::default()).is_ok());
}

#[test]
fn a_number_that_is_a_name_too_is_asked_for() {
    let drop = |key: ColumnKey| Csv { drop: vec![key], header: Some(true), ..Csv::default() };
    let text = "id,0,1,2,y\n5,6,7,8,a\n1,2,3,4,b\n";
    refused(read(text, &drop(ColumnKey::Number(2))), &["column 2, counted from 0, is called `1`, and column 3", "`2`"]);
    let data = read(text, &drop(name("2"))).expect("it is read");
    assert_eq!(data.train.inputs.values, [5.0, 6.0, 7.0, 1.0, 2.0, 3.0]);
    // Where both are the same column nothing is in doubt.
    assert!(read("0,1,y\n5,6,a\n1,2,b\n", &drop(ColumnKey::Number(1))).is_ok());
}
