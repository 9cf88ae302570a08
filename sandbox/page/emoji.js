import { h } from "./dom.js";

const GLYPHS = `
+1 👍|thumbsup 👍|-1 👎|thumbsdown 👎|100 💯|adhesive_bandage 🩹|alarm_clock ⏰|ambulance 🚑|anger 💢|arrow_down ⬇️
arrow_forward ▶️|arrow_left ⬅️|arrow_lower_right ↘️|arrow_right ➡️|arrow_right_hook ↪️|arrow_up ⬆️|arrow_upper_right ↗️
arrows_clockwise 🔃|arrows_counterclockwise 🔄|ballot_box_with_check ☑️|bangbang ‼️|bar_chart 📊|beers 🍻|bell 🔔|bookmark 🔖
books 📚|boom 💥|brain 🧠|broom 🧹|bug 🐛|bulb 💡|busts_in_silhouette 👥|bust_in_silhouette 👤|calendar 📆|card_file_box 🗃️
chart_with_downwards_trend 📉|chart_with_upwards_trend 📈|checkered_flag 🏁|clap 👏|clipboard 📋|clock1 🕐|clock3 🕒|clock9 🕘|cloud ☁️
closed_book 📕|closed_lock_with_key 🔐|coffee ☕|computer 💻|construction 🚧|credit_card 💳|crossed_fingers 🤞|cry 😢|date 📅|desktop_computer 🖥️
dart 🎯|deciduous_tree 🌳|dizzy 💫|dna 🧬|door 🚪|droplet 💧|elephant 🐘|email 📧|envelope ✉️|exclamation ❗
eyes 👀|face_with_monocle 🧐|fast_forward ⏩|file_cabinet 🗄️|file_folder 📁|fire 🔥|fire_engine 🚒|fire_extinguisher 🧯|first_place_medal 🥇
floppy_disk 💾|gear ⚙️|ghost 👻|globe_with_meridians 🌐|green_book 📗|green_heart 💚|grey_question ❔|grin 😁|grinning 😀|hammer 🔨
hammer_and_wrench 🛠️|handshake 🤝|hatching_chick 🐣|heart ❤️|heavy_check_mark ✔️|heavy_minus_sign ➖|heavy_plus_sign ➕|hourglass ⌛
hourglass_flowing_sand ⏳|house 🏠|hugging_face 🤗|inbox_tray 📥|information_source ℹ️|joy 😂|key 🔑|label 🏷️|large_blue_circle 🔵
large_blue_square 🟦|large_green_circle 🟢|large_green_square 🟩|large_orange_circle 🟠|large_orange_square 🟧|large_purple_circle 🟣
large_purple_square 🟪|large_red_square 🟥|large_yellow_circle 🟡|large_yellow_square 🟨|red_circle 🔴|white_circle ⚪|black_circle ⚫
white_large_square ⬜|black_large_square ⬛|leftwards_arrow_with_hook ↩️|link 🔗|lock 🔒|unlock 🔓|loudspeaker 📢|mag 🔍|mag_right 🔎
mailbox 📫|mega 📣|memo 📝|pencil 📝|pencil2 ✏️|microscope 🔬|moneybag 💰|muscle 💪|mute 🔇|negative_squared_cross_mark ❎
neutral_face 😐|no_bell 🔕|no_entry ⛔|no_entry_sign 🚫|octagonal_sign 🛑|ok 🆗|ok_hand 👌|open_file_folder 📂|open_hands 👐|orange_book 📙
outbox_tray 📤|package 📦|page_facing_up 📄|page_with_curl 📃|pager 📟|paperclip 📎|partying_face 🥳|pause_button ⏸️|double_vertical_bar ⏸️
phone ☎️|telephone_receiver 📞|play_or_pause_button ⏯️|point_right 👉|point_up ☝️|point_down 👇|point_left 👈|police_car 🚓|postbox 📮
pray 🙏|pushpin 📌|round_pushpin 📍|question ❓|rabbit 🐰|rabbit2 🐇|raised_hand ✋|hand ✋|raised_hands 🙌|recycle ♻️|repeat 🔁|rewind ⏪
robot_face 🤖|rocket 🚀|rotating_light 🚨|satellite 🛰️|satellite_antenna 📡|scream 😱|scroll 📜|see_no_evil 🙈|seedling 🌱|shield 🛡️
ship 🚢|shopping_trolley 🛒|shrug 🤷|skull 💀|sleeping 😴|slightly_smiling_face 🙂|small_blue_diamond 🔹|small_orange_diamond 🔸
small_red_triangle 🔺|small_red_triangle_down 🔻|smile 😄|smiley 😃|snail 🐌|snowflake ❄️|sob 😭|sos 🆘|speech_balloon 💬|sparkles ✨|star ⭐
star2 🌟|stethoscope 🩺|stop_button ⏹️|black_square_for_stop ⏹️|stop_sign 🛑|stopwatch ⏱️|sunglasses 😎|sweat_smile 😅|tada 🎉|test_tube 🧪
thinking_face 🤔|thread 🧵|ticket 🎫|admission_tickets 🎟️|timer_clock ⏲️|toolbox 🧰|traffic_light 🚦|triangular_flag_on_post 🚩|trophy 🏆
turtle 🐢|twisted_rightwards_arrows 🔀|umbrella ☔|vertical_traffic_light 🚦|warning ⚠️|wastebasket 🗑️|watch ⌚|wave 👋|weary 😩
whale 🐳|white_check_mark ✅|white_heart 🤍|wink 😉|wrench 🔧|x ❌|zap ⚡|zzz 💤|one 1️⃣|two 2️⃣|three 3️⃣|four 4️⃣|five 5️⃣
notebook 📓|white_square_button 🔳|black_square_button 🔲|firefighter 🧑‍🚒|technologist 🧑‍💻|ledger 📒|spiral_note_pad 🗒️|newspaper 📰|fuelpump ⛽|radioactive_sign ☢️
biohazard_sign ☣️|chains ⛓️|balloon 🎈|confetti_ball 🎊|cake 🍰|pizza 🍕|doughnut 🍩|dog 🐶|cat 🐱|penguin 🐧|octopus 🐙|bee 🐝|cactus 🌵|sunny ☀️|rainbow 🌈|ocean 🌊
volcano 🌋|earth_africa 🌍|world_map 🗺️|compass 🧭|anchor ⚓|airplane ✈️|bus 🚌|car 🚗|bike 🚲|hospital 🏥|office 🏢|factory 🏭|bank 🏦|gift 🎁|crown 👑
medal 🏅|second_place_medal 🥈|third_place_medal 🥉|dollar 💵|receipt 🧾|abacus 🧮|straight_ruler 📏|scissors ✂️|hook 🪝|magnet 🧲|battery 🔋|electric_plug 🔌
flashlight 🔦|candle 🕯️|bathtub 🛁|soap 🧼|sponge 🧽|yarn 🧶|jigsaw 🧩|game_die 🎲|control_knobs 🎛️|level_slider 🎚️|studio_microphone 🎙️|headphones 🎧
heavy_exclamation_mark ❗|grey_exclamation ❕|interrobang ⁉️|heavy_multiplication_x ✖️|infinity ♾️|new 🆕|up 🆙|free 🆓|cool 🆒|ng 🆖|six 6️⃣|seven 7️⃣|eight 8️⃣|nine 9️⃣|zero 0️⃣|keycap_ten 🔟
angry 😠|rage 😡|confused 😕|disappointed 😞|worried 😟|fearful 😨|cold_sweat 😰|sweat 😓|exploding_head 🤯|zipper_mouth_face 🤐|nerd_face 🤓|relieved 😌|upside_down_face 🙃
laughing 😆|rolling_on_the_floor_laughing 🤣|heart_eyes 😍|blush 😊|salute 🫡|saluting_face 🫡|melting_face 🫠|facepalm 🤦|fingers_crossed 🤞|v ✌️|metal 🤘|fist ✊|facepunch 👊
`;

const NAMED = new Map(
  GLYPHS.split(/[|\n]/)
    .filter(Boolean)
    .map((entry) => entry.split(" ")),
);

const EMOJI_NAME = /:([a-z0-9_+'-]+):/;

export function glyph(name) {
  return NAMED.get(name.split("::")[0]);
}

export function emoji(name, { big = false } = {}) {
  const found = glyph(name);
  if (!found) return document.createTextNode(`:${name}:`);
  return h(
    "span",
    {
      class: big ? "emoji emoji-big" : "emoji",
      role: "img",
      title: `:${name}:`,
      "aria-label": name.replaceAll("_", " "),
    },
    found,
  );
}

export function emojiNames(prefix = "") {
  const names = [...NAMED.keys()];
  const starting = names.filter((name) => name.startsWith(prefix));
  return [...starting, ...names.filter((name) => !name.startsWith(prefix) && name.includes(prefix))];
}

export function withEmoji(text) {
  return text.split(/(:[a-z0-9_+'-]+:)/).map((part) => {
    const name = EMOJI_NAME.exec(part)?.[1];
    return name && glyph(name) ? emoji(name) : part;
  });
}
