/** What is imported besides code: style sheets as their text, fonts and WebAssembly as the path of a file. */
declare module "*.css" {
  const text: string;
  export default text;
}
declare module "*.ttf" {
  const path: string;
  export default path;
}
declare module "*.woff2" {
  const path: string;
  export default path;
}
declare module "*.wasm" {
  const path: string;
  export default path;
}
