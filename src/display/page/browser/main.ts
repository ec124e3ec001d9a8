/** The page's script; `bun scripts/generatePage.ts` makes one text of it and what it imports. */
import { startEnlarging } from "./enlarge.ts";
import { startMap } from "./mapView.ts";
import { startSampleTable } from "./sampleTable.ts";
import { startTheme } from "./theme.ts";
import { startMarkTips } from "./tip.ts";

startMarkTips();
startEnlarging();
startSampleTable("asv");
startSampleTable("sample");
const map = startMap();
startTheme(() => map?.recolour());
