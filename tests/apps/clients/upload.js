// POSTs MIB mebibytes to a URL, all at once, and prints the status: node upload.js URL MIB
const http = require("http");

const [url, mib] = process.argv.slice(2);
const body = Buffer.alloc(mib * 1024 * 1024);
const options = { method: "POST", headers: { "Content-Length": body.length } };
const request = http.request(url, options, (response) => {
  response.resume();
  response.on("end", () => {
    console.log(response.statusCode);
    process.exit(0);
  });
});
request.on("error", (error) => {
  console.log(error.message);
  process.exit(1);
});
request.end(body);
