// The same request by curl, Python and C++, to copy.

const HEADER = "Authorization";
const BREAK = " \\\n    ";

function shellQuoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

// What an argument of a command may have, less room for what is longer in UTF-8.
const MOST_ARGUMENT = 40000;

/** `request`: { url, type, body } or { url, file }; `secured`: whether a token goes with it. */
export function curl(request, secured) {
  const parts = [`curl -s ${shellQuoted(request.url)}`];
  if (secured) parts.push(`-H "${HEADER}: Bearer $TFAAS_TOKEN"`);
  if (request.file) {
    parts.push(`-F ${shellQuoted(`image=@${request.file.name}`)}`);
    return parts.join(BREAK);
  }
  parts.push(`-H ${shellQuoted(`Content-Type: ${request.type}`)}`);
  if (request.body.length <= MOST_ARGUMENT)
    return [...parts, `-d ${shellQuoted(request.body)}`].join(BREAK);
  let mark = "END";
  while (request.body.split("\n").includes(mark)) mark += "_";
  return `${[...parts, `--data-binary @- <<'${mark}'`].join(BREAK)}\n${request.body}\n${mark}`;
}

export function python(request, secured) {
  const token = secured ? ['    "Authorization": f"Bearer {os.environ[\'TFAAS_TOKEN\']}",'] : [];
  return [
    "import json",
    ...(secured ? ["import os"] : []),
    "from urllib.request import Request, urlopen",
    "",
    request.file
      ? `body = open(${JSON.stringify(request.file.name)}, "rb").read()`
      : `body = ${JSON.stringify(request.body)}.encode()`,
    "headers = {",
    `    "Content-Type": "${request.type}",`,
    ...token,
    "}",
    `with urlopen(Request(${JSON.stringify(request.url)}, body, headers)) as answer:`,
    '    print(answer.headers["TFaaS-Model"], json.load(answer))',
  ].join("\n");
}

export function cpp(request, secured) {
  const body = request.file
    ? [
        "    curl_mime* form = curl_mime_init(curl);",
        "    curl_mimepart* part = curl_mime_addpart(form);",
        '    curl_mime_name(part, "image");',
        `    curl_mime_filedata(part, ${JSON.stringify(request.file.name)});`,
        "    curl_easy_setopt(curl, CURLOPT_MIMEPOST, form);",
      ]
    : [
        `    headers = curl_slist_append(headers, "Content-Type: ${request.type}");`,
        `    const std::string body = ${raw(request.body)};`,
        "    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.c_str());",
        "    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));",
      ];
  const token = secured
    ? [
        '    const std::string token = std::string("Authorization: Bearer ") + std::getenv("TFAAS_TOKEN");',
        "    headers = curl_slist_append(headers, token.c_str());",
      ]
    : [];
  return [
    "// g++ -std=c++17 predict.cpp -lcurl",
    "#include <curl/curl.h>",
    "#include <cstdlib>",
    "#include <iostream>",
    "#include <string>",
    "",
    "int main() {",
    "    CURL* curl = curl_easy_init();",
    "    curl_slist* headers = nullptr;",
    `    curl_easy_setopt(curl, CURLOPT_URL, ${JSON.stringify(request.url)});`,
    ...body,
    ...token,
    "    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);",
    "    // The answer goes to stdout.",
    "    const CURLcode code = curl_easy_perform(curl);",
    "    if (code != CURLE_OK) std::cerr << curl_easy_strerror(code) << '\\n';",
    ...(request.file ? ["    curl_mime_free(form);"] : []),
    "    curl_slist_free_all(headers);",
    "    curl_easy_cleanup(curl);",
    "    return code == CURLE_OK ? 0 : 1;",
    "}",
  ].join("\n");
}

// As raw strings, of which compilers take some 16 kB each.
function raw(text) {
  const pieces = text.match(/[^]{1,8000}/g) ?? [""];
  let mark = "json";
  while (text.includes(`)${mark}"`)) mark += "_";
  return pieces.map((piece) => `R"${mark}(${piece})${mark}"`).join("\n        ");
}
