// Rows that somebody pastes: CSV, or what a spreadsheet copies.

/** The cells of each line; `,`, `;` or tabs between them, and quotes around them if need be. */
export function cells(text) {
  const first = text.slice(0, text.indexOf("\n") + 1 || undefined);
  const separator = ["\t", ";", ","].find((each) => first.includes(each)) ?? ",";
  const rows = [];
  let row = [],
    cell = "",
    quoted = false;
  const endCell = () => {
    row.push(cell.trim());
    cell = "";
  };
  const endRow = () => {
    endCell();
    if (row.length > 1 || row[0] !== "") rows.push(row);
    row = [];
  };
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at];
    if (quoted) {
      if (char !== '"') cell += char;
      else if (text[at + 1] === '"') {
        cell += '"';
        at += 1;
      } else quoted = false;
    } else if (char === '"' && cell.trim() === "") {
      quoted = true;
      cell = "";
    } else if (char === separator) endCell();
    else if (char === "\n") endRow();
    else if (char !== "\r") cell += char;
  }
  endRow();
  return rows;
}

/** `{ keys, rows }`: the first line names the columns if one of its cells is no number. */
export function table(text, areStrings) {
  const rows = cells(text);
  const isName = (cell) =>
    cell !== "" && Number.isNaN(Number(cell)) && !/^(nan|null|true|false)$/i.test(cell);
  if (areStrings || !rows.length || !rows[0].some(isName)) return { keys: [], rows };
  return { keys: rows[0], rows: rows.slice(1) };
}
