/** Where the page begins. */
import { render } from "preact";
import { App } from "./app.tsx";
import "./theme.css";
import "./frame.css";

render(<App />, document.getElementById("app")!);
