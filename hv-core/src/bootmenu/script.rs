//! The language of GRUB 2's configuration, as far as configurations use it: commands of words, `if`, functions, and
//! entries of a menu. Reading it always comes to an end and never fails: what can't be understood is left out.
//!
//! Loops are read and left out: no configuration that a tool has written has any.

use std::rc::Rc;

/// How deep blocks may be within blocks.
const DEEPEST: usize = 24;

/// A piece of a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Letters.
    Text(String),
    /// A variable. In quotes, its value stays in one word.
    Variable { name: String, quoted: bool },
}

/// A word.
pub type Word = Vec<Piece>;

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// A command.
    Command(Vec<Word>),
    /// `if`: each condition with what is done where it holds, and what is done where none does.
    If(Vec<(Vec<Node>, Vec<Node>)>, Vec<Node>),
    /// `menuentry`, or `submenu`.
    Entry { submenu: bool, words: Vec<Word>, body: Rc<Vec<Node>> },
    /// `function`.
    Function(String, Rc<Vec<Node>>),
}

/// Reads a configuration.
pub fn parse(text: &str) -> Vec<Node> {
    let mut parser = Parser { tokens: tokens(text), at: 0 };
    let mut nodes = Vec::new();
    while parser.at < parser.tokens.len() {
        nodes.extend(parser.block(&[], 0));
        // What ends a block that was never begun.
        parser.at += 1;
    }
    nodes
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(Word),
    End,
    Open,
    Close,
}

fn tokens(text: &str) -> Vec<Token> {
    let mut reader = Reader { rest: text.chars().collect(), at: 0 };
    let mut tokens = Vec::new();
    while let Some(letter) = reader.peek() {
        match letter {
            '\n' | ';' => {
                reader.at += 1;
                tokens.push(Token::End);
            }
            '#' => {
                while reader.peek().is_some_and(|letter| letter != '\n') {
                    reader.at += 1;
                }
            }
            letter if letter.is_whitespace() => reader.at += 1,
            _ => tokens.push(match reader.word() {
                word if word == [Piece::Text("{".into())] => Token::Open,
                word if word == [Piece::Text("}".into())] => Token::Close,
                // Only the end of a line that goes on.
                word if word.is_empty() => continue,
                word => Token::Word(word),
            }),
        }
    }
    tokens
}

struct Reader {
    rest: Vec<char>,
    at: usize,
}

impl Reader {
    fn peek(&self) -> Option<char> {
        self.rest.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let letter = self.peek()?;
        self.at += 1;
        Some(letter)
    }

    fn word(&mut self) -> Word {
        let mut word = Vec::new();
        let mut text = String::new();
        // An empty word in quotes is one.
        let mut quotes = false;
        while let Some(letter) = self.peek() {
            match letter {
                '\n' | ';' => break,
                letter if letter.is_whitespace() => break,
                '\\' => {
                    self.at += 1;
                    match self.next() {
                        // The line goes on.
                        Some('\n') | None => {}
                        Some(letter) => text.push(letter),
                    }
                }
                '\'' => {
                    self.at += 1;
                    quotes = true;
                    text.extend(std::iter::from_fn(|| self.next().filter(|letter| *letter != '\'')));
                }
                '"' => {
                    self.at += 1;
                    quotes = true;
                    while let Some(letter) = self.next() {
                        match letter {
                            '"' => break,
                            '\\' => match self.next() {
                                Some(letter @ ('"' | '\\' | '$')) => text.push(letter),
                                Some('\n') | None => {}
                                Some(letter) => text.extend(['\\', letter]),
                            },
                            '$' => self.variable(true, &mut word, &mut text),
                            letter => text.push(letter),
                        }
                    }
                }
                '$' => {
                    self.at += 1;
                    self.variable(false, &mut word, &mut text);
                }
                letter => {
                    self.at += 1;
                    text.push(letter);
                }
            }
        }
        if !text.is_empty() || (quotes && word.is_empty()) {
            word.push(Piece::Text(text));
        }
        word
    }

    /// After its `$`.
    fn variable(&mut self, quoted: bool, word: &mut Word, text: &mut String) {
        let mut name = String::new();
        match self.peek() {
            Some('{') => {
                self.at += 1;
                name.extend(std::iter::from_fn(|| self.next().filter(|letter| *letter != '}')));
            }
            Some(letter @ ('?' | '@' | '#' | '*')) => {
                self.at += 1;
                name.push(letter);
            }
            _ => {
                while let Some(letter) =
                    self.peek().filter(|letter| letter.is_ascii_alphanumeric() || *letter == '_')
                {
                    self.at += 1;
                    name.push(letter);
                }
            }
        }
        if name.is_empty() {
            return text.push('$');
        }
        if !text.is_empty() {
            word.push(Piece::Text(std::mem::take(text)));
        }
        word.push(Piece::Variable { name, quoted });
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    fn keyword(&self) -> Option<&str> {
        match self.tokens.get(self.at)? {
            Token::Word(word) => match word.as_slice() {
                [Piece::Text(text)] => Some(text),
                _ => None,
            },
            _ => None,
        }
    }

    /// What is done until one of these words, at which it stands then, or until a `}` or the end.
    fn block(&mut self, until: &[&str], depth: usize) -> Vec<Node> {
        let mut nodes = Vec::new();
        while let Some(token) = self.tokens.get(self.at) {
            match token {
                Token::End | Token::Open => {
                    self.at += 1;
                    continue;
                }
                Token::Close => break,
                Token::Word(_) => {}
            }
            let keyword = self.keyword().unwrap_or_default().to_owned();
            if until.contains(&&*keyword) {
                break;
            }
            if depth >= DEEPEST {
                self.at += 1;
                continue;
            }
            match &*keyword {
                "if" => nodes.push(self.condition(depth)),
                "while" | "until" | "for" => {
                    self.at += 1;
                    self.block(&["do"], depth + 1);
                    self.at += 1;
                    self.block(&["done"], depth + 1);
                    self.at += 1;
                }
                "function" => {
                    self.at += 1;
                    let name = self.keyword().unwrap_or_default().to_owned();
                    self.at += 1;
                    let body = self.braces(depth);
                    nodes.push(Node::Function(name, body));
                }
                "menuentry" | "submenu" => {
                    self.at += 1;
                    let mut words = Vec::new();
                    while let Some(Token::Word(word)) = self.tokens.get(self.at) {
                        words.push(word.clone());
                        self.at += 1;
                    }
                    let body = self.braces(depth);
                    nodes.push(Node::Entry { submenu: keyword == "submenu", words, body });
                }
                // Where one of these comes here, something before it was missing.
                "then" | "else" | "elif" | "fi" | "do" | "done" => self.at += 1,
                _ => {
                    let mut words = Vec::new();
                    while let Some(Token::Word(word)) = self.tokens.get(self.at) {
                        words.push(word.clone());
                        self.at += 1;
                    }
                    nodes.push(Node::Command(words));
                }
            }
        }
        nodes
    }

    fn condition(&mut self, depth: usize) -> Node {
        let (mut cases, mut otherwise) = (Vec::new(), Vec::new());
        loop {
            // After `if` or `elif`.
            self.at += 1;
            let condition = self.block(&["then"], depth + 1);
            self.at += 1;
            let body = self.block(&["elif", "else", "fi"], depth + 1);
            cases.push((condition, body));
            match self.keyword() {
                Some("elif") => {}
                Some("else") => {
                    self.at += 1;
                    otherwise = self.block(&["fi"], depth + 1);
                    break;
                }
                _ => break,
            }
        }
        if self.keyword() == Some("fi") {
            self.at += 1;
        }
        Node::If(cases, otherwise)
    }

    fn braces(&mut self, depth: usize) -> Rc<Vec<Node>> {
        while self.tokens.get(self.at) == Some(&Token::End) {
            self.at += 1;
        }
        if self.tokens.get(self.at) != Some(&Token::Open) {
            return Rc::default();
        }
        self.at += 1;
        let body = self.block(&[], depth + 1);
        self.at += 1;
        Rc::new(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn word(text: &str) -> Word {
        vec![Piece::Text(text.into())]
    }

    #[test]
    fn words_are_taken_apart_as_grub_does() {
        let nodes = parse("set a='b c' # not this\nlinux \"/k ${x}\"$y \\\n  ro; initrd ''");
        let variable = |name: &str, quoted| Piece::Variable { name: name.into(), quoted };
        let text = |text: &str| Piece::Text(text.into());
        assert_eq!(
            nodes,
            [
                Node::Command(vec![word("set"), word("a=b c")]),
                Node::Command(vec![
                    word("linux"),
                    vec![text("/k "), variable("x", true), variable("y", false)],
                    word("ro"),
                ]),
                Node::Command(vec![word("initrd"), word("")]),
            ]
        );
    }

    #[test]
    fn blocks_hold_what_is_in_them() {
        let nodes = parse(
            "if [ a ]; then b\nelif c; then\n d\nelse e; fi\nmenuentry 'x' {\n f\n}\nfunction g { h }\n",
        );
        let command = |name: &str| Node::Command(vec![word(name)]);
        let test = Node::Command(vec![word("["), word("a"), word("]")]);
        assert_eq!(
            nodes,
            [
                Node::If(
                    vec![(vec![test], vec![command("b")]), (vec![command("c")], vec![command("d")])],
                    vec![command("e")]
                ),
                Node::Entry { submenu: false, words: vec![word("x")], body: Rc::new(vec![command("f")]) },
                Node::Function("g".into(), Rc::new(vec![command("h")])),
            ]
        );
    }

    #[test]
    fn blocks_without_end_end() {
        let deep = "if a; then ".repeat(10_000);
        assert_eq!(parse(&deep).len(), 1);
        assert_eq!(parse(&"{ ".repeat(10_000)), []);
        assert_eq!(parse(&"} fi ".repeat(10_000)), []);
        assert_eq!(parse("while true; do echo; done; x").len(), 1);
    }

    proptest! {
        #[test]
        fn nothing_does_harm(text in "(if|then|elif|else|fi|while|do|done|menuentry|\\{|\\}|[a-z'\"$#;\n \\\\])*") {
            let _ = parse(&text);
        }
    }
}
